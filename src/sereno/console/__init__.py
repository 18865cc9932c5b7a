"""The console: pages rendered here, in the process that serves the API, from the flows that every door uses.

How to add a screen:

1. Write `screens/<name>.py` with a `router = APIRouter(route_class=ConsoleRoute)` and `def` routes that take
   a `ViewerCall` (or a higher one for what changes something); what they show comes from a flow.
2. Begin each route with `page = Page.of(request, call)` and end it with `page.answer("<name>.html", …)`. The
   page knows language, theme, the date range of the URL (`page.range`) and the header; `page.url(path, …)`
   keeps the range in links; `page.filled(Filter)` makes a frozen filter of the query.
3. Write `templates/<name>.html`, which extends `layout.html`; words come from `t("…")`, that is the key
   `console.…` of `i18n/console.yaml` (a test finds a key that is missing); figures through `w`, the methods
   of `wording.py`; severities and statuses through the macros of `parts.html`, so that colour is never alone.
4. No inline script or style: the content security policy forbids both. A chart is a `<div data-chart=…>` that
   `static/charts.js` fills, with the macro `chart_links` below it: table, PNG, SVG, CSV, XLSX and JSON.
5. What changes something is a form with `method="post"` that answers with a redirect, and works without
   script; `hx-post` on it swaps the part that changed. `form_fields()` puts in the CSRF token and a key of
   the request.
6. Include the router in `router.py`, add the screen to `NAVIGATION` in `page.py` and to `SCREENS` in
   `tests/console/screens.py`: both widths, both languages and both themes, axe and the pictures follow.
"""

from sereno.console.router import mount_static, router

__all__ = ["mount_static", "router"]
