/* Keyboard, menus, live updates and table alternatives; every page works without it. */
(function () {
  "use strict";
  const body = document.body;
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const one = (selector) => document.querySelector(selector);

  // On a phone the filters wait until somebody wants them
  if (innerWidth <= 640) all("details.filter-box:not([data-used])").forEach((box) => { box.open = false; });

  // Keyboard ---------------------------------------------------------------------------------------------
  function isTyping(target) {
    return target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  }
  function move(step) {
    const rows = all("[data-row]").filter((row) => row.offsetParent !== null);
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement.closest("[data-row]"));
    const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
    rows[next].focus();
    rows[next].scrollIntoView({ block: "nearest" });
  }
  function closeMenus(except) {
    all("details.menu[open]").forEach((menu) => {
      if (!except || !menu.contains(except)) menu.open = false;
    });
  }
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    a: () => { const button = one("[data-key=a]"); if (button) button.click(); },
    "/": () => { const field = one("#search"); if (field) { field.focus(); field.select(); } },
    "?": () => one("#help").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = one("details.menu[open]");
      if (menu) { closeMenus(); menu.querySelector("summary").focus(); }
      else if (isTyping(event.target)) event.target.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || one("dialog[open]")) return;
    const action = keys[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  document.addEventListener("click", (event) => {
    closeMenus(event.target);
    const opener = event.target.closest("[data-open]");
    if (opener) { closeMenus(); document.getElementById(opener.dataset.open).showModal(); }
  });

  // Live: one stream for the page that is looked at; hidden tabs hold no connection ------------------------
  let stream = null;
  let waiting = false;
  function isBusy() {
    const active = document.activeElement;
    return one("details.menu[open]") !== null || (active && active.closest("#sites, #list") && isTyping(active));
  }
  function changed() {
    if (isBusy()) { waiting = true; return; }
    waiting = false;
    body.dispatchEvent(new CustomEvent("sereno:changed"));
  }
  function told(text) {
    const place = one(".connection");
    if (place) { place.hidden = !text; place.textContent = text; }
  }
  function listen() {
    if (document.hidden || stream || !body.dataset.live || !window.EventSource) return;
    stream = new EventSource(body.dataset.live);
    stream.addEventListener("changed", changed);
    stream.addEventListener("open", () => { told(""); });
    stream.addEventListener("error", () => { told(body.dataset.offline); });
  }
  function hush() {
    if (stream) { stream.close(); stream = null; }
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { hush(); return; }
    listen();
    changed();
  });
  window.addEventListener("pagehide", hush);
  document.addEventListener("focusout", () => { if (waiting) setTimeout(() => { if (waiting) changed(); }, 300); });
  listen();

  // A part that was asked for keeps the filters' fields as they are typed; the page's address follows -------
  document.addEventListener("htmx:configRequest", (event) => {
    const form = event.target;
    if (form.tagName !== "FORM" || form.method !== "get") return;
    Object.keys(event.detail.parameters).forEach((name) => {
      if (event.detail.parameters[name] === "") delete event.detail.parameters[name];
    });
  });

  // Table alternatives are fetched when they are opened ------------------------------------------------------
  document.addEventListener("toggle", (event) => {
    const box = event.target;
    if (!box.matches || !box.matches("details[data-table]") || !box.open || box.dataset.filled) return;
    box.dataset.filled = "yes";
    fetch(box.dataset.table).then((answer) => answer.text()).then((text) => {
      const table = new DOMParser().parseFromString(text, "text/html").querySelector("#table");
      if (table) box.querySelector(".wide").replaceChildren(...table.childNodes);
    });
  }, true);

  // A picture that the server draws, as PNG ------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-svg]");
    if (!button) return;
    const image = new Image();
    image.addEventListener("load", () => {
      const sheet = document.createElement("canvas");
      sheet.width = image.naturalWidth;
      sheet.height = image.naturalHeight;
      sheet.getContext("2d").drawImage(image, 0, 0);
      sheet.toBlob((blob) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = button.dataset.name;
        link.click();
        URL.revokeObjectURL(link.href);
      });
    });
    image.src = button.dataset.svg;
  });
}());
