"""A version as one file, which another workspace takes in as a candidate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sereno.domain.archive import ArchiveError, digest_of, pack, unpack
from sereno.domain.errors import FileMissing, ModelCorrupt, NotFound, SerenoError, SystemRefused
from sereno.domain.judgement import ModelCard
from sereno.domain.registry import ForecasterCard
from sereno.flows.build import Setup
from sereno.flows.forecasters import LEARNT_SUFFIX, ForecasterGroup, ForecasterShelf
from sereno.flows.learning import MODEL_SUFFIX, ModelShelf
from sereno.flows.models import write_whole
from sereno.flows.places import MODELS_FOLDER
from sereno.store import Store, StoredForecaster, StoredModel
from sereno.store.codec import card_document, card_of, forecaster_document, forecaster_of

__all__ = ["export_version", "import_version"]

_FORMAT, _ARTEFACT = "sereno version 1", "artefact"
_DETECTOR, _FORECASTER = "detector", "forecaster"
_IMPORTED = "imported"


def export_version(setup: Setup, stored: StoredModel | StoredForecaster, file: Path) -> Path:
    """Write card and artefact of a version into one file; equal versions give equal bytes.

    A forecaster goes as it was learnt, without the days since. A file of that name gives way.

    Raises:
        ModelCorrupt: The artefact is not what the store says it is.
        SystemRefused: The file cannot be written there.
    """
    path = setup.folder / stored.path
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelCorrupt(file=str(path), detail="the file is gone") from error
    _check(data, stored.card.digest, path)
    if isinstance(stored, StoredModel):
        family, card = _DETECTOR, card_document(stored.card)
    else:
        family, card = _FORECASTER, forecaster_document(stored.card)
    header = {"format": _FORMAT, "family": family, "card": card}
    try:
        write_whole(file, pack(header, {_ARTEFACT: np.frombuffer(data, dtype=np.uint8)}))
    except OSError as error:
        raise SystemRefused(file=str(file), detail=error.strerror or str(error)) from error
    return file


def import_version(setup: Setup, store: Store, file: Path) -> ModelCard | ForecasterCard:
    """Take in what `export_version` wrote, as a candidate; one that is here already stays as it is.

    Raises:
        FileMissing: There is no such file.
        ModelCorrupt: It is none of these, was altered, or another training has its name here.
        NotFound: Its profile is not here.
        DetectorUnknown, ForecasterUnknown, ExtraMissing: What learnt it is not installed here.
    """
    header, data = _read(file)
    is_detector = header["family"] == _DETECTOR
    card = card_of(header["card"]) if is_detector else forecaster_of(header["card"])
    _check(data, card.digest, file)
    profile = ForecasterGroup.of_card(card).profile if isinstance(card, ForecasterCard) else card.profile
    if profile not in setup.profiles:
        raise NotFound(what="profile", id=profile, hint=", ".join(setup.profiles))
    with store.read() as tx:
        known = next((one.card for one in tx.versions(card.profile) if one.card.id == card.id), None)
    if known is not None:
        _check(data, known.digest, file)
        return known
    path = Path(MODELS_FOLDER) / f"{card.digest}{MODEL_SUFFIX if is_detector else LEARNT_SUFFIX}"
    write_whole(setup.folder / path, data)
    try:
        _load(setup, store, card, path.as_posix())
    except SerenoError:
        (setup.folder / path).unlink()
        raise
    with store.begin() as tx:
        if isinstance(card, ForecasterCard):
            tx.save_forecaster(card, path.as_posix(), reason=_IMPORTED)
        else:
            tx.save_model(card, path.as_posix(), reason=_IMPORTED)
    return card


def _load(setup: Setup, store: Store, card: ModelCard | ForecasterCard, path: str) -> None:
    """See that what was taken in can be used, and is what its card says."""
    if isinstance(card, ForecasterCard):
        ForecasterShelf(setup, store).as_learnt(StoredForecaster(card, path, is_active=False))
        return
    model = ModelShelf(setup, store).version(StoredModel(card, path, is_active=False))
    if card_document(model.card) != card_document(card):
        raise ModelCorrupt(file=path, detail="its card is another one than that of the training")


def _read(file: Path) -> tuple[Mapping[str, Any], bytes]:
    try:
        header, arrays = unpack(file.read_bytes())
        if header["format"] != _FORMAT or header["family"] not in (_DETECTOR, _FORECASTER):
            raise ArchiveError("it is no exported version")
        return header, arrays[_ARTEFACT].tobytes()
    except FileNotFoundError as error:
        raise FileMissing(file=str(file)) from error
    except (ArchiveError, KeyError, TypeError, ValueError) as error:
        raise ModelCorrupt(file=str(file), detail=str(error)) from error


def _check(data: bytes, digest: str, file: Path) -> None:
    if digest_of(data) != digest:
        raise ModelCorrupt(file=str(file), detail="it is another training than the one of this name")
