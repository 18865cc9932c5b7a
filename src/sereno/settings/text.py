"""`sereno.yaml` as text: what a person wrote stays as it was written."""

import yaml

__all__ = ["cut_branch"]


def cut_branch(text: str, branch: str) -> tuple[str, str]:
    """The text without a top-level branch, and the text of that branch; both keep their lines as they are.

    Text that is not a YAML mapping has no branches.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return text, ""
    if not isinstance(root, yaml.MappingNode):
        return text, ""
    if root.flow_style:
        data = yaml.safe_load(text)
        own = {branch: data.pop(branch)} if branch in data else {}
        return _dumped(data), _dumped(own)
    starts = [(key.value, key.start_mark.line) for key, _ in root.value]
    lines = text.splitlines(keepends=True)
    rest: list[str] = lines[: starts[0][1]]
    cut: list[str] = []
    for place, (name, start) in enumerate(starts):
        end = starts[place + 1][1] if place + 1 < len(starts) else len(lines)
        own_end = end
        while own_end > start + 1 and (not lines[own_end - 1].strip() or lines[own_end - 1].startswith("#")):
            own_end -= 1  # what stands before the next key is said of that one
        (cut if name == branch else rest).extend(lines[start:own_end])
        rest.extend(lines[own_end:end])
    return "".join(rest), "".join(cut)


def _dumped(data: dict[str, object]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True) if data else ""
