// The dashboard's hands: keyboard, palette, drawer, toasts, tips, row selection. Pages work without it, as plain forms and links.
(function () {
  "use strict";

  const $ = (selector, root) => (root || document).querySelector(selector);
  const $$ = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const words = () => JSON.parse($("#words")?.textContent || "{}");
  const mac = /Mac|iP(hone|ad)/.test(navigator.platform);
  const typing = (target) => target.closest("input, textarea, select, [contenteditable=true]");

  // ---- dialogs: data-open="id" opens one, a click beside it closes it ----
  function open(id) {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return;
    $$("dialog[open]").forEach((other) => other.close());
    dialog.showModal();
    if (id === "palette") {
      const input = $("input", dialog);
      input.select();
      window.htmx?.trigger(input, "palette-open");
    }
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) { event.preventDefault(); return open(opener.dataset.open); }
    if (event.target.matches("dialog")) return event.target.close();
    const closer = event.target.closest("[data-close]");
    if (closer) return closer.closest("dialog")?.close();
    if (event.target.closest("[data-theme-switch]")) return switchTheme();
    const copier = event.target.closest("[data-copy]");
    if (copier) { navigator.clipboard?.writeText(copier.dataset.copy); return toast(words().copied); }
    const peek = event.target.closest("a[data-drawer]");
    if (peek && !event.metaKey && !event.ctrlKey && !event.shiftKey && window.htmx) {
      event.preventDefault();
      return openDrawer(peek.href);
    }
    const row = event.target.closest("tr[data-href]");
    if (row && !event.target.closest("a, button, input, label, summary, dfn") && !String(getSelection())) openRow(row, event);
  });

  function openDrawer(url) {
    window.htmx.ajax("GET", url, { target: "#drawer-body", swap: "innerHTML" }).then(() => open("drawer"));
  }

  // ---- theme ----
  function switchTheme() {
    const theme = document.documentElement.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    document.documentElement.setAttribute("data-bs-theme", theme);
    try { localStorage.setItem("theme", theme); } catch { /* storage may be off */ }
    document.cookie = `theme=${theme};path=/;max-age=31536000;samesite=lax`;
    document.dispatchEvent(new CustomEvent("theme-change"));
  }

  // ---- toasts ----
  function toast(text, kind) {
    const line = document.createElement("div");
    line.className = `toast-line ${kind ? `is-${kind}` : ""}`;
    line.dataset.toast = "";
    line.textContent = text;
    $("#toasts")?.append(line);
    expire(line);
  }
  const expire = (line) => setTimeout(() => line.remove(), line.matches(".is-error") ? 12000 : line.querySelector("a, button") ? 10000 : 5000);
  window.toast = toast;

  // ---- tips: [data-tip], on hover and on focus ----
  function showTip(event) {
    const target = event.target.closest?.("[data-tip]");
    const tip = $("#tip");
    if (!tip) return;
    tip.hidden = !target;
    if (!target) return target;
    // Over a dialog only what is inside it can be seen.
    (target.closest("dialog") || document.body).append(tip);
    tip.textContent = target.dataset.tip;
    target.setAttribute("aria-describedby", "tip");
    const box = target.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left + box.width / 2 - tip.offsetWidth / 2, innerWidth - tip.offsetWidth - 8));
    const above = box.top - tip.offsetHeight - 6;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 8 ? above : box.bottom + 6}px`;
  }
  document.addEventListener("mouseover", showTip);
  document.addEventListener("focusin", showTip);
  document.addEventListener("focusout", () => { const tip = $("#tip"); if (tip) tip.hidden = true; });
  document.addEventListener("scroll", () => { const tip = $("#tip"); if (tip) tip.hidden = true; }, true);

  // ---- rows: j k x Enter ----
  const rows = () => $$("tr[data-href], [data-row]").filter((row) => row.offsetParent);
  function move(step) {
    const all = rows();
    const now = all.findIndex((row) => row.classList.contains("is-current"));
    const next = all[Math.max(0, Math.min(all.length - 1, now < 0 ? 0 : now + step))];
    all.forEach((row) => row.classList.toggle("is-current", row === next));
    next?.scrollIntoView({ block: "nearest" });
  }
  const current = () => $(".is-current");
  function openRow(row, event) {
    const link = $("a[data-drawer]", row);
    const url = row.dataset.href || $("a", row)?.href;
    if (event?.metaKey || event?.ctrlKey) return window.open(url, "_blank");
    if (link && link.href.endsWith(url) && window.htmx) return openDrawer(link.href);
    location.href = url;
  }

  // Selection: input[data-select] in rows, input[data-select-all] in the head, [data-bulk] shows while some are chosen.
  document.addEventListener("change", (event) => {
    const scope = event.target.closest("form, .table-wrap, main");
    if (event.target.matches("[data-select-all]")) $$("[data-select]", scope).forEach((box) => { box.checked = event.target.checked; });
    if (event.target.matches("[data-select], [data-select-all]")) {
      const chosen = $$("[data-select]:checked", scope);
      $$("[data-select]", scope).forEach((box) => box.closest("tr")?.classList.toggle("is-selected", box.checked));
      $$("[data-bulk]", document).forEach((bulk) => {
        bulk.hidden = !chosen.length;
        const count = $("[data-bulk-count]", bulk);
        if (count) count.textContent = words().selected.replace("%(n)s", chosen.length);
      });
    }
    if (event.target.matches("[data-autosubmit]")) event.target.form?.requestSubmit();
  });

  // ---- keyboard ----
  let waiting = 0;
  document.addEventListener("keydown", (event) => {
    const key = event.key;
    if ((event.metaKey || event.ctrlKey) && key.toLowerCase() === "k") { event.preventDefault(); return open("palette"); }
    if ((event.metaKey || event.ctrlKey) && key === "Enter") { event.target.form?.requestSubmit(); return; }
    if ($("#palette")?.open) return inPalette(event);
    if (typing(event.target)) { if (key === "Escape") event.target.blur(); return; }
    if (event.metaKey || event.ctrlKey || event.altKey || $("dialog[open]")) return;
    if (waiting && Date.now() - waiting < 1500) {
      waiting = 0;
      const place = $(`[data-go="${CSS.escape(key)}"]`);
      if (place) { event.preventDefault(); place.click(); }
      return;
    }
    const actions = {
      "g": () => { waiting = Date.now(); },
      "/": () => ($("#main input[type=search]") || $("[data-open=palette]"))?.[$("#main input[type=search]") ? "focus" : "click"](),
      "?": () => open("keys"),
      "j": () => move(1),
      "k": () => move(-1),
      "x": () => $("[data-select]", current() || undefined)?.click(),
      "e": () => ($("a[data-edit]", current() || undefined) || $("a[data-edit]"))?.click(),
      "n": () => $(".page-actions .btn-primary")?.click(),
    };
    if (key === "Enter" && current() && !event.target.closest("a, button, summary")) { event.preventDefault(); return openRow(current(), event); }
    if (actions[key]) { event.preventDefault(); actions[key](); }
  });

  function inPalette(event) {
    const links = $$("#palette-list a");
    const now = links.findIndex((link) => link.classList.contains("is-current"));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = (now + (event.key === "ArrowDown" ? 1 : -1) + links.length) % links.length;
      links.forEach((link, index) => { link.classList.toggle("is-current", index === next); link.setAttribute("aria-selected", index === next); });
      links[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && links.length) {
      event.preventDefault();
      links[Math.max(0, now)].click();
    }
  }

  // ---- forms: a pressed button says so; HTMX errors say what happened ----
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button && !event.defaultPrevented) {
      // After the browser has read the form, or the button's own value would be lost.
      setTimeout(() => button.setAttribute("aria-busy", "true"));
      setTimeout(() => button.removeAttribute("aria-busy"), 8000);
    }
  });
  addEventListener("pageshow", () => $$("[aria-busy=true]").forEach((button) => button.removeAttribute("aria-busy")));
  document.addEventListener("htmx:responseError", (event) => toast(event.detail.xhr.status === 403 ? words().denied : words().failed, "error"));
  document.addEventListener("htmx:sendError", () => toast(words().offline, "error"));
  document.addEventListener("htmx:afterSettle", (event) => {
    $$("[data-toast]").forEach(expire);
    $$("[aria-busy=true]").forEach((button) => button.removeAttribute("aria-busy"));
    if (event.target.id === "palette-list") $("#palette-list a")?.classList.add("is-current");
  });

  // ---- Alpine (CSP build): components are registered here, templates only name properties ----
  document.addEventListener("alpine:init", () => {
    window.Alpine.data("disclosure", () => ({
      shown: false,
      toggle() { this.shown = !this.shown; },
      close() { this.shown = false; },
      get hiddenNow() { return !this.shown; },
    }));
  });

  document.addEventListener("DOMContentLoaded", () => {
    if (mac) $$("[data-keys]").forEach((kbd) => { kbd.textContent = kbd.textContent.replace("Ctrl", "⌘"); });
    $$("[data-toast]").forEach(expire);
    if (localStorage.getItem("dense") === "1") document.body.classList.add("dense");
    $$("[data-density]").forEach((button) => button.addEventListener("click", () => {
      const dense = document.body.classList.toggle("dense");
      localStorage.setItem("dense", dense ? "1" : "0");
    }));
    $("dialog[data-open-now]")?.showModal();
    // On a phone a row of tabs is wider than the page: the one that is open stands in its middle.
    $$(".tabs > .active").forEach((tab) => {
      tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;
    });
  });
})();
