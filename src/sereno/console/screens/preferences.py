"""Language and theme, kept in cookies of the browser."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from sereno.console.page import LANGUAGE_COOKIE, THEME_COOKIE, THEMES
from sereno.i18n.catalogue import LANGUAGES

__all__ = ["router"]

router = APIRouter()

_A_YEAR_S = 365 * 86_400
_HOME = "/console/"


@router.get("/preferences")
def set_preferences(request: Request, language: str = "", theme: str = "", back: str = _HOME) -> Response:
    """Remember what was chosen and go back to the page; only to one of this console."""
    answer = RedirectResponse(_inside(back), status_code=303)
    chosen = ((LANGUAGE_COOKIE, language, LANGUAGES), (THEME_COOKIE, theme, THEMES))
    for name, value, known in chosen:
        if value in known:
            is_secure = request.url.scheme == "https"
            answer.set_cookie(name, value, max_age=_A_YEAR_S, samesite="lax", httponly=True, secure=is_secure)
    return answer


def _inside(address: str) -> str:
    parts = urlsplit(address)
    is_inside = not parts.scheme and not parts.netloc and parts.path.startswith(_HOME)
    return address if is_inside and "\\" not in address else _HOME
