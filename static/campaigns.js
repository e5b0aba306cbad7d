// The campaign editor: live preview in a sandboxed frame, merge fields at the cursor, rows of variables that grow.
// The page works without it: the preview has its button, and every field can be typed.
(function () {
  "use strict";

  const desk = document.getElementById("desk");
  if (!desk) return;
  const button = document.getElementById("preview-button");
  const holder = document.getElementById("preview-holder");
  let last = null;
  let waiting = 0;
  let looked = 0;

  // Each look gets a frame of its own: a frame's first page leaves no trace in the history of the window, and the old
  // one stays in sight until the new one is there.
  function show() {
    if (leaving) return;
    const fresh = holder.querySelector("iframe").cloneNode(false);
    fresh.name = button.formTarget = `preview-frame-${looked += 1}`;
    fresh.classList.add("is-loading");
    holder.append(fresh);
    fresh.addEventListener("load", () => {
      fresh.classList.remove("is-loading");
      holder.querySelectorAll("iframe").forEach((frame) => { if (frame !== fresh) frame.remove(); });
      button.removeAttribute("aria-busy");
    }, { once: true });
    desk.requestSubmit(button);
  }

  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(show, 500);
  }

  const looks = (target) => target.closest("[data-panel]") || ["person", "channel", "segment"].includes(target.name);
  desk.addEventListener("input", (event) => { if (looks(event.target)) later(); grow(event.target); });
  desk.addEventListener("change", (event) => { if (looks(event.target)) later(); });
  desk.addEventListener("focusin", (event) => { if (event.target.matches("[data-template]")) last = event.target; });

  // ---- merge fields ----
  desk.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-merge]");
    if (!chip) return;
    const shown = desk.querySelector("input[name=channel]:checked")?.value;
    const target = last?.closest(`[data-panel="${shown}"]`) ? last : desk.querySelector(`[data-panel="${shown}"] [data-template]`);
    if (!target) return;
    target.setRangeText(chip.dataset.merge, target.selectionStart, target.selectionEnd, "end");
    target.focus();
    later();
  });

  // ---- variables: an empty row is always there ----
  function grow(target) {
    const pairs = target.closest("[data-pairs]");
    const row = pairs?.lastElementChild;
    if (!row || ![...row.querySelectorAll("input")].some((input) => input.value)) return;
    const fresh = row.cloneNode(true);
    fresh.querySelectorAll("input").forEach((input) => { input.value = ""; input.removeAttribute("value"); input.removeAttribute("id"); });
    pairs.append(fresh);
  }

  // ---- what was typed is not left by accident ----
  // A form goes to one place at a time: a look that is due while the form is being saved would call off the saving.
  let dirty = desk.querySelector(".is-invalid, .form-error") !== null; // what was refused is kept nowhere but here
  let leaving = false;
  desk.addEventListener("input", () => { dirty = true; });
  desk.addEventListener("submit", (event) => { if (event.submitter !== button) { dirty = false; leaving = true; } });
  addEventListener("pageshow", () => { leaving = false; });
  addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });

  show();
})();
