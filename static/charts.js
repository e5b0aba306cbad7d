// Pictures. A page declares <div data-chart="KIND" data-source="ID"> (template tag `chart`); the JSON of that id is:
//   series    how many of the columns after the first are drawn (the rest is for the table); default all
//   kind      bars | columns | lines | heat | sankey | dots
//   name      file name of the downloads; title, sentence: for people and screen readers
//   columns   [{label, unit: people|number|mean|money|percent|seconds|day|text, color?: "stage-habit"}], the first is the category
//   rows      [[…], …] in the columns' order: also the table twin and the CSV
//   urls      one address per row, or a list per row (one per value column): where a click goes
//   colors    per row, for bars, columns and dots; marks: [{at, label, axis: "x"|"y"}] lines drawn across
//   heat: rows are [x, y, value, …]; xs, ys give the order; sankey: rows are [from, to, people], links: [[node, node]] per row, nodes: {node: {label, people, color, depth, url}}
//   dots: rows are [label, value, low, high]
(function () {
  "use strict";

  const script = document.currentScript;
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Double quotes in a font's name would end an attribute of the picture that becomes a PNG.
  const font = () => style("--font").replaceAll('"', "'");
  const color = (name) => (name ? style(`--c-${name}`) || style("--accent") : style("--accent"));
  const words = () => JSON.parse(document.getElementById("words")?.textContent || "{}");
  let library;

  function load() {
    library ||= new Promise((done, failed) => {
      if (window.echarts) return done(window.echarts);
      const tag = document.createElement("script");
      tag.src = script.dataset.echarts;
      tag.onload = () => done(window.echarts);
      tag.onerror = failed;
      document.head.append(tag);
    });
    return library;
  }

  // ---- numbers, as the server writes them ----
  function short(value, onAxis) {
    const chinese = words().language === "zh";
    const steps = chinese ? [[1e8, " 亿"], [1e4, " 万"]] : [[1e9, "B"], [1e6, "M"], [1e3, "k"]];
    if (Math.abs(value) >= 1e4) {
      for (const [size, name] of steps) {
        const figure = (value / size).toFixed(Math.abs(value / size) >= 99.95 ? 0 : 1);
        if (Math.abs(value) >= size) return `${onAxis ? +figure : figure}${name}`;
      }
    }
    return value.toLocaleString("en-US", { maximumFractionDigits: 1 });
  }
  function write(value, unit, spec, brief) {
    if (value === null || value === undefined) return "—";
    if (unit === "percent") return `${(value * 100).toFixed(brief ? 0 : 1)}%`;
    if (unit === "seconds") return `${value.toLocaleString("en-US", { maximumFractionDigits: 1 })} ${document.documentElement.lang.startsWith("zh") ? "秒" : "s"}`;
    if (unit === "money") {
      const amount = value / 10 ** spec.decimals;
      return spec.currency + (brief ? short(Math.abs(amount) < 100 ? amount : Math.round(amount), brief === "axis") : amount.toLocaleString("en-US", { minimumFractionDigits: spec.decimals, maximumFractionDigits: spec.decimals }));
    }
    return typeof value === "number" ? (brief ? short(value, brief === "axis") : value.toLocaleString("en-US")) : String(value);
  }
  const shortDay = (value) => (/^\d{4}-\d{2}-\d{2}$/.test(value) ? value.slice(5) : value);
  const safe = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const line = (label, value) => `${safe(label)}　<b>${safe(value)}</b>`;
  const urlOf = (spec, row, column) => { const url = (spec.urls || [])[row]; return Array.isArray(url) ? url[column] : url; };

  // ---- what all pictures share ----
  function ground(spec, box) {
    const grey = style("--grey"), rule = style("--line");
    return {
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches, animationDuration: 250,
      textStyle: { fontFamily: font(), color: style("--ink") },
      grid: { left: 8, right: 24, top: 16, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      tooltip: {
        confine: true, backgroundColor: style("--raised"), borderColor: rule, padding: [6, 10],
        textStyle: { color: style("--ink"), fontSize: 12 },
      },
      axis: { axisLine: { lineStyle: { color: rule } }, axisTick: { show: false }, axisLabel: { color: grey, fontSize: 12 }, splitLine: { lineStyle: { color: rule } } },
      narrow: box.clientWidth < 480,
    };
  }
  const markLine = (spec) => spec.marks && {
    silent: true, symbol: "none", lineStyle: { color: style("--grey-2"), type: "dashed" },
    label: { color: style("--grey"), formatter: "{b}" },
    // Labels stand above the picture, one step higher each, so that close marks stay readable.
    data: spec.marks.map((mark, index) => ({ name: mark.label, [mark.axis === "y" ? "yAxis" : "xAxis"]: mark.at, label: { rotate: 0, position: "end", distance: 2 + 15 * index } })),
  };

  const drawn = (spec) => spec.columns.slice(1, 1 + (spec.series ?? spec.columns.length));

  const draw = {
    // Horizontal bars, the label at the end of each: comparison.
    bars(spec, base) {
      const column = spec.columns[1];
      return {
        ...base, grid: { ...base.grid, right: 72, top: 4 },
        tooltip: { ...base.tooltip, trigger: "item", formatter: (at) => spec.columns.slice(1).map((c, i) => line(i ? c.label : spec.rows[at.dataIndex][0], write(spec.rows[at.dataIndex][i + 1], c.unit, spec))).join("<br>") },
        xAxis: { type: "value", min: 0, show: false },
        yAxis: { ...base.axis, type: "category", inverse: true, data: spec.rows.map((row) => row[0]), axisLine: { show: false }, axisLabel: { ...base.axis.axisLabel, color: style("--ink"), fontSize: 13 } },
        series: [{
          type: "bar", barMaxWidth: 22, barMinHeight: 2, cursor: spec.urls ? "pointer" : "default",
          data: spec.rows.map((row, index) => ({ value: row[1], itemStyle: { color: color((spec.colors || [])[index] || column.color), borderRadius: [0, 4, 4, 0] } })),
          label: { show: true, position: "right", color: style("--ink"), formatter: (at) => write(at.value, column.unit, spec, true) },
        }],
      };
    },
    // Vertical bars, one or several (up to seven) stacks per category.
    columns(spec, base) {
      return {
        ...base, grid: { ...base.grid, top: base.narrow && drawn(spec).length > 3 ? 56 : drawn(spec).length > 1 ? 32 : base.grid.top },
        tooltip: { ...base.tooltip, trigger: "axis", axisPointer: { type: "shadow" }, formatter: (all) => [`<b>${safe(all[0].axisValue)}</b>`, ...all.map((at) => `${at.marker}${line(at.seriesName, write(at.value, spec.columns[at.seriesIndex + 1].unit, spec))}`)].join("<br>") },
        xAxis: { ...base.axis, type: "category", data: spec.rows.map((row) => row[0]) },
        yAxis: { ...base.axis, type: "value", axisLabel: { ...base.axis.axisLabel, formatter: (value) => write(value, spec.columns[1].unit, spec, "axis") } },
        legend: legend(spec),
        series: drawn(spec).map((column, index) => ({
          name: column.label, type: "bar", stack: spec.stacked === false ? undefined : "all", barMaxWidth: 32, itemStyle: { color: color(column.color) },
          data: spec.rows.map((row) => row[index + 1]), cursor: spec.urls ? "pointer" : "default", markLine: index ? undefined : markLine(spec),
        })),
      };
    },
    lines(spec, base) {
      const unit = spec.columns[1].unit;
      const numeric = typeof spec.rows[0][0] === "number";
      return {
        ...base, grid: { ...base.grid, right: drawn(spec).length > 1 && !base.narrow ? 88 : 32, top: (drawn(spec).length > 1 && base.narrow ? 56 : 20) + 15 * (spec.marks?.length || 0) },
        tooltip: { ...base.tooltip, trigger: "axis", formatter: (all) => [`<b>${safe(spec.columns[0].label)} ${safe(all[0].axisValueLabel ?? all[0].value[0])}</b>`, ...all.map((at) => `${at.marker}${line(at.seriesName, write(at.value[1], spec.columns[at.seriesIndex + 1].unit, spec))}`)].join("<br>") },
        xAxis: { ...base.axis, type: numeric ? "value" : "category", splitLine: { show: false }, min: numeric ? spec.rows[0][0] : undefined, max: numeric ? spec.rows.at(-1)[0] : undefined, data: numeric ? undefined : spec.rows.map((row) => row[0]), axisLabel: { ...base.axis.axisLabel, formatter: shortDay, hideOverlap: true } },
        yAxis: { ...base.axis, type: "value", min: spec.floor === undefined ? undefined : spec.floor, axisLabel: { ...base.axis.axisLabel, formatter: (value) => write(value, unit, spec, "axis") } },
        legend: base.narrow ? legend(spec) : undefined,
        series: drawn(spec).map((column, index) => ({
          name: column.label, type: "line", showSymbol: spec.rows.length < 32, symbolSize: 6, lineStyle: { width: 2 }, itemStyle: { color: color(column.color) }, triggerLineEvent: true,
          connectNulls: false, data: spec.rows.map((row) => [row[0], row[index + 1]]), cursor: spec.urls ? "pointer" : "default", markLine: index ? undefined : markLine(spec),
          endLabel: { show: drawn(spec).length > 1 && !base.narrow, formatter: "{a}", color: style("--grey"), distance: 6 }, labelLayout: { moveOverlap: "shiftY" },
          areaStyle: drawn(spec).length === 1 ? { opacity: 0.08 } : undefined,
        })),
      };
    },
    heat(spec, base) {
      const values = spec.rows.map((row) => row[2]);
      const most = Math.max(...values, 1);
      const unit = spec.columns[2].unit;
      return {
        ...base, grid: { ...base.grid, right: 8, top: 8 },
        tooltip: { ...base.tooltip, formatter: (at) => spec.columns.map((c, i) => line(c.label, write(spec.rows[at.dataIndex][i], c.unit, spec))).join("<br>") },
        xAxis: { ...base.axis, type: "category", data: spec.xs, splitLine: { show: false }, axisLine: { show: false }, name: spec.xName, nameLocation: "middle", nameGap: 26, nameTextStyle: { color: style("--grey") } },
        yAxis: { ...base.axis, type: "category", data: spec.ys, splitLine: { show: false }, axisLine: { show: false }, name: spec.yName, nameLocation: "middle", nameGap: 30, nameTextStyle: { color: style("--grey") } },
        series: [{
          type: "custom", cursor: spec.urls ? "pointer" : "default",
          encode: { x: 0, y: 1 },
          data: spec.rows.map((row) => [spec.xs.indexOf(String(row[0])), spec.ys.indexOf(String(row[1])), row[2]]),
          renderItem: (params, api) => heatCell(spec, api, params.dataIndex, most, unit),
        }],
      };
    },
    sankey(spec, base) {
      return {
        ...base,
        tooltip: { ...base.tooltip, formatter: (at) => (at.dataType === "edge" ? line(`${spec.nodes[at.data.source].label} → ${spec.nodes[at.data.target].label}`, write(at.value, "people", spec)) : line(spec.nodes[at.name].label, write(at.value, "people", spec))) },
        series: [{
          type: "sankey", left: 4, right: base.narrow ? 84 : 120, top: 8, bottom: 8, nodeGap: 14, nodeWidth: 12, draggable: false, layoutIterations: 0, emphasis: { focus: "adjacency" },
          data: Object.entries(spec.nodes).map(([name, node]) => ({ name, depth: node.depth, itemStyle: { color: color(node.color) } })),
          // Rows without a link (those who stayed) are for the table only.
          links: spec.links.map(([source, target], index) => ({ source, target, value: spec.rows[index][2], row: index })),
          label: { color: style("--ink"), fontSize: 12, formatter: (at) => `${spec.nodes[at.name].label} ${short(spec.nodes[at.name].people)}` },
          lineStyle: { color: "source", opacity: 0.28, curveness: 0.5 },
        }],
      };
    },
    // A point with its interval per row: lift.
    dots(spec, base) {
      const unit = spec.columns[1].unit;
      const reach = Math.max(...spec.rows.flatMap((row) => [Math.abs(row[2] ?? row[1]), Math.abs(row[3] ?? row[1])])) * 1.1 || 1;
      return {
        ...base, grid: { ...base.grid, right: 24 },
        tooltip: { ...base.tooltip, formatter: (at) => { const row = spec.rows[at.dataIndex]; return `${line(row[0], write(row[1], unit, spec))}<br>${write(row[2], unit, spec)} … ${write(row[3], unit, spec)}`; } },
        xAxis: { ...base.axis, type: "value", min: -reach, max: reach, axisLabel: { ...base.axis.axisLabel, showMinLabel: false, showMaxLabel: false, hideOverlap: true, formatter: (value) => write(value, unit, spec) } },
        yAxis: { ...base.axis, type: "category", inverse: true, data: spec.rows.map((row) => row[0]) },
        series: [{
          type: "custom", encode: { x: [1, 2, 3], y: 0 }, data: spec.rows.map((row, index) => [index, row[1], row[2], row[3]]), cursor: spec.urls ? "pointer" : "default",
          renderItem: (params, api) => interval(api, color((spec.colors || [])[params.dataIndex])),
          markLine: { silent: true, symbol: "none", data: [{ xAxis: 0 }], lineStyle: { color: style("--grey-2"), type: "solid" }, label: { show: false } },
        }],
      };
    },
  };

  const legend = (spec) => (drawn(spec).length > 1 ? { top: 0, icon: "circle", itemWidth: 8, itemHeight: 8, textStyle: { color: style("--grey") } } : undefined);

  function heatCell(spec, api, index, most, unit) {
    const row = spec.rows[index];
    const [x, y] = api.coord([api.value(0), api.value(1)]);
    const [w, h] = api.size([1, 1]);
    const strength = most ? Math.sqrt(row[2] / most) : 0;
    const tint = (spec.colors || [])[index];
    const fill = tint ? mix(style("--surface"), color(tint), row[2] ? 0.18 + 0.5 * strength : 0.06) : mix(style("--heat-0"), style("--heat-1"), strength * 0.85);
    const texts = [write(row[2], unit, spec, true)];
    if (spec.captions && w > 64 && h > 44) texts.push(spec.captions[index]);
    return {
      type: "group",
      children: [
        { type: "rect", shape: { x: x - w / 2 + 1.5, y: y - h / 2 + 1.5, width: w - 3, height: h - 3, r: 4 }, style: { fill } },
        ...texts.map((text, at) => ({
          type: "text", style: {
            text, fontFamily: font(), x, y: y + (texts.length > 1 ? (at ? 9 : -8) : 0), textAlign: "center", textVerticalAlign: "middle", fontSize: at ? 11 : 13,
            fill: !tint && strength > 0.6 ? style("--surface") : style("--ink"), fontWeight: at ? 400 : 600, width: w - 8, overflow: "truncate",
          },
        })),
      ],
    };
  }
  function interval(api, fill) {
    const [low, y] = api.coord([api.value(2), api.value(0)]);
    const [high] = api.coord([api.value(3), api.value(0)]);
    const [middle] = api.coord([api.value(1), api.value(0)]);
    const stroke = { stroke: fill, lineWidth: 2, fill: "none" };
    return { type: "group", children: [
      { type: "line", shape: { x1: low, y1: y, x2: high, y2: y }, style: stroke },
      ...[low, high].map((x) => ({ type: "line", shape: { x1: x, y1: y - 5, x2: x, y2: y + 5 }, style: stroke })),
      { type: "circle", shape: { cx: middle, cy: y, r: 5 }, style: { fill } },
    ] };
  }
  function mix(from, to, part) {
    const parse = (hex) => [1, 3, 5].map((at) => parseInt(hex.length === 4 ? hex[(at + 1) / 2].repeat(2) : hex.slice(at, at + 2), 16));
    const a = parse(from), b = parse(to);
    return `rgb(${a.map((value, index) => Math.round(value + (b[index] - value) * part)).join(",")})`;
  }

  // ---- life of a picture ----
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target, contentRect }) => {
    const picture = window.echarts?.getInstanceByDom(target);
    if (picture && contentRect.width && picture.getWidth() !== Math.floor(contentRect.width)) picture.resize();
  }));
  const watchSize = (box) => sizes.observe(box);

  async function show(box) {
    const spec = JSON.parse(document.getElementById(box.dataset.source).textContent);
    if (!draw[spec.kind]) return;
    const echarts = await load();
    const old = echarts.getInstanceByDom(box);
    if (old) old.dispose();
    const picture = echarts.init(box, null, { renderer: "svg" });
    const { axis, narrow, ...base } = ground(spec, box);
    const option = draw[spec.kind](spec, { ...base, axis, narrow });
    delete option.axis;
    delete option.narrow;
    picture.setOption(option);
    picture.on("click", (at) => {
      const row = at.data?.row ?? at.dataIndex;
      const url = at.dataType === "node" ? spec.nodes[at.name].url : urlOf(spec, row, at.seriesIndex);
      if (url) location.href = url;
    });
    watchSize(box);
  }
  const all = (root) => (root || document).querySelectorAll("[data-chart]");
  const watcher = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (entry.isIntersecting) { watcher.unobserve(entry.target); show(entry.target); }
  }), { rootMargin: "200px" });
  const watch = (root) => all(root).forEach((box) => { if (!box.dataset.watched) { box.dataset.watched = "1"; watcher.observe(box); } });

  // ---- table, CSV, PNG ----
  function save(name, blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  function csv(spec) {
    // A cell that a spreadsheet would run as a formula is quoted off.
    const field = (value) => { const text = String(value ?? ""); const calm = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text; return /[",\n]/.test(calm) ? `"${calm.replaceAll('"', '""')}"` : calm; };
    const amount = (value, column) => (column.unit === "money" && value !== null ? value / 10 ** spec.decimals : value);
    const lines = [spec.columns.map((column) => column.label), ...spec.rows.map((row) => row.map((value, index) => amount(value, spec.columns[index])))];
    return `\ufeff${lines.map((cells) => cells.map(field).join(",")).join("\r\n")}\r\n`;
  }
  async function png(box, name) {
    const picture = (await load()).getInstanceByDom(box);
    if (!picture) return;
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = box.clientWidth * 2;
      canvas.height = box.clientHeight * 2;
      const pen = canvas.getContext("2d");
      pen.fillStyle = style("--surface");
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(`${name}.png`, blob));
    };
    image.src = picture.getDataURL({ type: "svg" });
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chart-table], [data-chart-csv], [data-chart-png]");
    if (!button) return;
    const frame = button.closest("[data-chart-frame]");
    const box = frame.querySelector("[data-chart]");
    const spec = JSON.parse(document.getElementById(box.dataset.source).textContent);
    if (button.matches("[data-chart-csv]")) return save(`${spec.name}.csv`, new Blob([csv(spec)], { type: "text/csv" }));
    if (button.matches("[data-chart-png]")) return png(box, spec.name);
    const table = frame.querySelector(".chart-table");
    table.hidden = !table.hidden;
    box.hidden = !table.hidden;
    button.setAttribute("aria-expanded", String(!table.hidden));
  });
  document.addEventListener("DOMContentLoaded", () => watch());
  document.addEventListener("htmx:afterSettle", (event) => watch(event.target));
  document.addEventListener("theme-change", () => all().forEach((box) => { if (window.echarts?.getInstanceByDom(box)) show(box); }));
})();
