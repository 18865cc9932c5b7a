"""Blocks: complete, bounded, the same every time."""

from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.signals import AssetKey
from sereno.scale.blocks import cut_blocks

KEYS = st.lists(st.builds(AssetKey, st.sampled_from("abcdef"), st.text("01", max_size=3)), max_size=40)


@given(keys=KEYS, size=st.integers(1, 12))
def test_every_asset_is_in_one_block_whatever_the_order(keys, size):
    blocks = cut_blocks("load", keys, size=size)

    assert sorted(key for block in blocks for key in block.keys) == sorted(set(keys))
    assert all(0 < len(block) <= size for block in blocks)
    assert blocks == cut_blocks("load", keys[::-1], size=size)


@given(keys=KEYS, size=st.integers(1, 12))
def test_site_is_cut_only_where_it_is_larger_than_a_block(keys, size):
    blocks = cut_blocks("load", keys, size=size)

    for site in {key.site for key in keys}:
        n_in_site = len({key for key in keys if key.site == site})
        n_blocks = sum(any(key.site == site for key in block.keys) for block in blocks)
        assert n_blocks == 1 or n_in_site > size


def test_what_belongs_together_stays_together():
    keys = [AssetKey(site, "1") for site in "abcd"]

    blocks = cut_blocks("gas", keys, size=2, together=lambda key: "ad" if key.site in "ad" else key.site)

    assert [block.keys for block in blocks] == [(keys[0], keys[3]), (keys[1], keys[2])]
