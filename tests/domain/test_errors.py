import pickle

from sereno.domain.errors import FileTooLarge, SerenoError, StoreError


def test_errors_come_back_from_another_process() -> None:
    errors: list[SerenoError] = [
        FileTooLarge(file="a.csv", detail="> 1 MiB"),
        StoreError(store="plant", detail="it failed"),
    ]

    for error in errors:
        again = pickle.loads(pickle.dumps(error))

        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.facts == error.facts
