/* Charts: fills every [data-chart] with the figures of its data-src, drawn by uPlot in the colours of the page. */
(function () {
  "use strict";
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const SHAPES = {
    critical: [[0, -1], [1, 0], [0, 1], [-1, 0]],
    high: [[0, -1], [1, 0.9], [-1, 0.9]],
    medium: [[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]],
    low: null,
  };
  const numbers = new Intl.NumberFormat(language, { maximumSignificantDigits: 4 });
  const said = (value, unit) => (value === null || value === undefined ? "–" : numbers.format(value) + (unit ? " " + unit : ""));

  function colours() {
    const probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
    const named = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
    const found = {
      ink: named("ink"), muted: named("muted"), line: named("line"), surface: named("surface"),
      observed: named("chart-observed"), expected: named("chart-expected"), band: named("chart-band"),
      week: named("chart-week"),
      critical: named("critical"), high: named("high"), medium: named("medium"), low: named("low"),
    };
    probe.remove();
    return found;
  }
  function isCalm() { return matchMedia("(prefers-reduced-motion: reduce)").matches; }

  const full = (zone) => new Intl.DateTimeFormat(language, {
    dateStyle: "medium", timeStyle: "short", timeZone: zone, hourCycle: "h23",
  });

  // What is abnormal, shaded over its time, with the shape of its severity on top ------------------------------
  function marks(document_, lane, colour) {
    return {
      hooks: {
        drawClear: [(plot) => {
          const { ctx, bbox } = plot;
          const size = 5 * devicePixelRatio;
          ctx.save();
          document_.marks.forEach((mark) => {
            const end = mark.to === null ? document_.end : Math.min(mark.to, document_.end);
            const left = Math.max(plot.valToPos(mark.from, "x", true), bbox.left);
            const right = Math.min(plot.valToPos(end, "x", true), bbox.left + bbox.width);
            if (right < bbox.left || left > bbox.left + bbox.width) return;
            const isMeant = !mark.signals.length || mark.signals.includes(lane.signal) || lane.signal === "gas_amount";
            ctx.fillStyle = colour[mark.severity];
            ctx.globalAlpha = isMeant ? 0.16 : 0.06;
            ctx.fillRect(left, bbox.top, Math.max(right - left, 2 * devicePixelRatio), bbox.height);
            ctx.globalAlpha = isMeant ? 1 : 0.45;
            const x = Math.min(Math.max((left + right) / 2, bbox.left + size), bbox.left + bbox.width - size);
            const y = bbox.top - size - 1;
            ctx.beginPath();
            const shape = SHAPES[mark.severity];
            if (shape) {
              shape.forEach(([dx, dy], place) => (place ? ctx.lineTo : ctx.moveTo).call(ctx, x + dx * size, y + dy * size));
              ctx.closePath();
            } else { ctx.arc(x, y, size * 0.85, 0, 2 * Math.PI); }
            ctx.fill();
          });
          ctx.restore();
        }],
      },
    };
  }

  function axes(document_, colour, withTime) {
    const font = "12px system-ui, sans-serif";
    const grid = { stroke: colour.line, width: 1 };
    const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: document_.zone });
    const month = new Intl.DateTimeFormat(language, { month: "short", year: "numeric", timeZone: document_.zone });
    const hour = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: document_.zone });
    const named = (at, step) => {
      if (step >= 28 * 86400) return month.format(at * 1000);
      const clock = hour.format(at * 1000);
      return step >= 86400 || clock === "00:00" ? day.format(at * 1000) : clock;
    };
    return [
      { show: withTime, stroke: colour.muted, font, grid, ticks: grid, size: 30, space: 70,
        values: (plot, splits, axis, space, step) => splits.map((at) => named(at, step)) },
      { stroke: colour.muted, font, grid, ticks: { show: false }, size: 58, space: 32,
        values: (plot, splits) => splits.map((value) => numbers.format(value)) },
    ];
  }

  // What each line is; the values under the cursor are said beside their names.
  function series(document_, lane, words, colour, earlier) {
    const shown = [{}];
    const columns = [];
    const key = [];
    const bands = [];
    const add = (values, options, name, swatch) => {
      columns.push(values);
      shown.push({ spanGaps: false, points: { show: false }, ...options });
      if (name) key.push({ name, swatch, said: (at) => said(values[at], lane.unit) });
    };
    const before = document_.before && document_.before[lane.signal];
    if (before) add(before, { stroke: colour.week, width: 1.4 }, words.before, "week");
    earlier.forEach((one, place) => add(one.values, { stroke: colour.week, width: 1, alpha: 1 - place * 0.22 },
      words.week.replace("{n}", place + 1), "week"));
    if (lane.low) {
      add(lane.low, { stroke: "transparent", width: 0 });
      add(lane.high, { stroke: "transparent", width: 0 });
      bands.push({ series: [shown.length - 1, shown.length - 2], fill: colour.band });
      key.push({ name: words.band, swatch: "band", said: (at) => `${said(lane.low[at])} – ${said(lane.high[at], lane.unit)}` });
    }
    if (lane.expected) add(lane.expected, { stroke: colour.expected, width: 1.5, dash: [5, 4] }, words.expected, "expected");
    const few = document_.time.length < 60;
    add(lane.values, { stroke: colour.observed, width: 1.6, points: { show: few, size: 4, fill: colour.observed } }, words.observed, "observed");
    return { shown, columns, bands, key: key.reverse() };
  }

  function legend(place, key, zone, isShort) {
    const list = document.createElement("ul");
    list.className = isShort ? "legend short" : "legend";
    const time = document.createElement("li");
    time.className = "legend-time";
    const cells = key.map((one) => {
      const item = document.createElement("li");
      const swatch = document.createElement("span");
      swatch.className = "swatch " + one.swatch;
      const value = document.createElement("strong");
      item.append(swatch, one.name, value);
      list.append(item);
      return value;
    });
    list.append(time);
    place.prepend(list);
    const clock = full(zone);
    return (plot) => {
      const at = plot.cursor.idx;
      const isOver = at !== null && at !== undefined;
      time.textContent = isOver ? clock.format(plot.data[0][at] * 1000) : "";
      list.classList.toggle("over", isOver);
      key.forEach((one, number) => { cells[number].textContent = isOver ? one.said(at) : ""; });
    };
  }

  // Readings that carry a quality flag: hollow points, whatever the line does.
  function doubts(lane, colour) {
    return { hooks: { draw: [(plot) => {
      if (!lane.doubtful || !lane.doubtful.length) return;
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.strokeStyle = colour.high;
      ctx.lineWidth = 1.4 * devicePixelRatio;
      lane.doubtful.forEach((at) => {
        ctx.beginPath();
        ctx.arc(plot.valToPos(plot.data[0][at], "x", true), plot.valToPos(lane.values[at], "y", true), 3 * devicePixelRatio, 0, 2 * Math.PI);
        ctx.stroke();
      });
      ctx.restore();
    }] } };
  }

  function drawn(place, document_, lane, words, options) {
    const colour = colours();
    const parts = series(document_, lane, words, colour, options.earlier || []);
    const tell = legend(place, parts.key, document_.zone, Boolean(options.sync));
    return new uPlot({
      width: Math.max(place.clientWidth, 200),
      height: options.height,
      padding: [14, 26, options.withTime ? 0 : 7, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), document_.zone),
      scales: { x: { time: true, min: document_.start, max: document_.end } },
      cursor: {
        sync: options.sync ? { key: options.sync, setSeries: false } : undefined,
        drag: { x: true, y: false, setScale: true },
        y: false, points: { size: 6 },
      },
      legend: { show: false },
      axes: axes(document_, colour, options.withTime),
      series: parts.shown,
      bands: parts.bands,
      plugins: [marks(document_, lane, colour), doubts(lane, colour)],
      hooks: {
        setScale: [(self, key) => { if (key === "x" && options.zoomed) options.zoomed(self); }],
        setCursor: [tell],
      },
    }, [document_.time, ...parts.columns], place);
  }

  function follow(place, plots) {
    let width = place.clientWidth;
    new ResizeObserver(() => {
      if (place.clientWidth === width || !place.clientWidth) return;
      width = place.clientWidth;
      plots().forEach((plot) => plot.setSize({ width, height: plot.height }));
    }).observe(place);
  }
  function bare(place, text) { place.replaceChildren(); const p = document.createElement("p"); p.className = "quiet"; p.textContent = text; place.append(p); }
  function titled(place, lane) {
    const head = document.createElement("p");
    head.className = "lane-title";
    const name = document.createElement("strong");
    name.textContent = lane.label.charAt(0).toUpperCase() + lane.label.slice(1);
    head.append(name, lane.unit ? " [" + lane.unit + "]" : "");
    place.prepend(head);
  }
  async function asked(address) {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  // One signal with its band and the same hours of earlier weeks --------------------------------------------------
  async function incidentChart(place) {
    const words = JSON.parse(place.dataset.words);
    bare(place, words.loading);
    let found;
    try { found = await asked(place.dataset.src); } catch { bare(place, words.none); return; }
    const [lane, ...earlier] = found.lanes;
    let plot = null;
    const draw = () => {
      if (plot) plot.destroy();
      place.replaceChildren();
      plot = drawn(place, found, lane, words, { height: innerWidth < 600 ? 240 : 320, earlier, withTime: true });
    };
    draw();
    follow(place, () => [plot]);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    place.dataset.ready = "yes";
  }

  // Every signal in a lane of its own; one brush and one cursor for all --------------------------------------------
  async function laneCharts(place) {
    const words = JSON.parse(place.dataset.words);
    bare(place, words.loading);
    let whole;
    try { whole = await asked(place.dataset.src); } catch { bare(place, words.none); return; }
    let found = whole;
    let plots = [];
    let isMoving = false;
    const reset = document.querySelector("[data-reset]");
    const withBands = (series_, bands) => {
      const known = new Map(bands.lanes.map((lane) => [lane.signal, lane]));
      series_.lanes.forEach((lane) => {
        const band = known.get(lane.signal);
        if (band && bands.time.length === series_.time.length) Object.assign(lane, { expected: band.expected, low: band.low, high: band.high });
      });
    };
    const draw = () => {
      plots.forEach((plot) => plot.destroy());
      place.replaceChildren();
      if (!found.lanes.length) { bare(place, words.none); return; }
      found.notes.forEach((note) => { const p = document.createElement("p"); p.className = "quiet"; p.textContent = note; place.append(p); });
      plots = found.lanes.map((lane, number) => {
        const box = document.createElement("div");
        box.className = "lane";
        place.append(box);
        const isLast = number === found.lanes.length - 1;
        const plot = drawn(box, found, lane, words, { height: isLast ? 160 : 130, sync: "lanes", withTime: isLast, zoomed });
        titled(box, lane);
        return plot;
      });
    };
    const fetched = async (start, end) => {
      const part = `&start=${start}&end=${end}`;
      const fresh = await asked(place.dataset.src + part);
      if (place.dataset.bands) { try { withBands(fresh, await asked(place.dataset.bands + part)); } catch { /* the lanes say enough */ } }
      found = fresh;
      isMoving = true;
      draw();
      isMoving = false;
    };
    let timer = 0;
    function zoomed(self) {
      if (isMoving) return;
      const { min, max } = self.scales.x;
      const isWhole = min <= found.start + 1 && max >= found.end - 1;
      if (isWhole && found === whole) { if (reset) reset.hidden = true; return; }
      isMoving = true;
      plots.forEach((plot) => { if (plot !== self) plot.setScale("x", { min, max }); });
      isMoving = false;
      if (reset) reset.hidden = isWhole && found === whole;
      clearTimeout(timer);
      if (found.thinned) timer = setTimeout(() => fetched(min, max), isCalm() ? 0 : 250);
    }
    if (reset) reset.addEventListener("click", () => {
      found = whole; isMoving = true; draw(); isMoving = false; reset.hidden = true;
    });
    isMoving = true; draw(); isMoving = false;
    follow(place, () => plots);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { isMoving = true; draw(); isMoving = false; });
    place.dataset.ready = "yes";
    if (place.dataset.bands) {
      try { withBands(whole, await asked(place.dataset.bands)); } catch { return; }
      if (found === whole) { isMoving = true; draw(); isMoving = false; }
      place.dataset.ready = "bands";
    }
  }

  // The picture as it stands, as a file --------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-png]");
    if (!button) return;
    const parts = Array.from(button.closest(".card").querySelectorAll("[data-chart] canvas"));
    if (!parts.length) return;
    const colour = colours();
    const sheet = document.createElement("canvas");
    sheet.width = Math.max(...parts.map((one) => one.width));
    sheet.height = parts.reduce((sum, one) => sum + one.height, 0);
    const ctx = sheet.getContext("2d");
    ctx.fillStyle = colour.surface;
    ctx.fillRect(0, 0, sheet.width, sheet.height);
    parts.reduce((top, one) => { ctx.drawImage(one, 0, top); return top + one.height; }, 0);
    sheet.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = "sereno.png";
      link.click();
      URL.revokeObjectURL(link.href);
    });
  });

  const kinds = { incident: incidentChart, lanes: laneCharts };
  document.querySelectorAll("[data-chart]").forEach((place) => kinds[place.dataset.chart](place));
}());
