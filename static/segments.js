// The segment builder: nested groups, undo and redo, keyboard, live count. The page works without it as a plain form of rows.
// The document is the model: `read` turns it into a definition, `draw` turns a definition into it.
import { $, $$, SEPARATORS, control, input, inputs, keepChips, listOf, setValue, settle, suggest, valueOf } from "./segment-inputs.js";

const form = document.getElementById("builder");
const rule = document.getElementById("rule");
const count = document.getElementById("count");
const json = form.elements.definition;
const hint = count.innerHTML;
const pattern = (key) => document.querySelector(`template[data-pattern="${CSS.escape(key)}"]`)?.content.firstElementChild.cloneNode(true);

// ---- definition → document ----
function draw(definition) {
  const root = drawGroup("all" in definition || "any" in definition ? definition : { all: Object.keys(definition).length ? [definition] : [] });
  root.classList.add("is-root");
  $$(":scope > .rule-group-head > .rule-not, :scope > .rule-group-head > .rule-tools", root).forEach((part) => part.remove());
  const list = document.createElement("ul");
  list.className = "rule-root";
  list.append(root);
  rule.replaceChildren(list);
}

function drawNode(node) {
  const inside = node.not || node;
  const element = "kind" in inside ? drawRow(inside) : drawGroup(inside);
  if (element) $("[data-not]", element).checked = "not" in node;
  return element;
}

function drawGroup(node) {
  const element = pattern("group");
  const mode = "any" in node ? "any" : "all";
  $("[data-mode]", element).value = mode;
  $(".rule-list", element).append(...(node[mode] || []).map(drawNode).filter(Boolean));
  joinWords(element);
  return element;
}

function drawRow(node) {
  const element = pattern(node.kind);
  if (!element) return null;
  inputs(element).forEach((field) => {
    if (Object.keys(node).length > 1) setValue(field, node[field.dataset.field]);
    else if (field.dataset.type === "texts") setValue(field, []);
    if ($("[data-list], datalist", field)) listOf(field);
  });
  settle(element);
  return element;
}

// The word between two parts stands on the second.
function joinWords(group) {
  const list = $(".rule-list", group);
  const word = $("[data-mode]", group).value === "any" ? list.dataset.or : list.dataset.and;
  Array.from(list.children).forEach((child) => { child.dataset.word = word; });
}

// ---- document → definition; every element learns its path ----
const root = () => $(".is-root", rule);

function readNode(element, path) {
  const negated = $(".rule-not [data-not]", element)?.checked && !element.classList.contains("is-root");
  const own = negated ? `${path}/not` : path;
  element.dataset.path = own;
  const node = element.hasAttribute("data-group") ? readGroup(element, own) : readRow(element);
  return negated ? { not: node } : node;
}

function readGroup(element, path) {
  const mode = $("[data-mode]", element).value;
  return { [mode]: Array.from($(".rule-list", element).children).map((child, i) => readNode(child, `${path}/${mode}/${i}`)) };
}

function readRow(row) {
  const node = { kind: row.dataset.kind };
  inputs(row).filter((field) => !field.hidden).forEach((field) => {
    const value = valueOf(field);
    if (value.length) node[field.dataset.field] = value;
  });
  return node;
}

const read = () => { const node = readNode(root(), ""); return Object.values(node)[0].length ? JSON.stringify(node) : ""; };

// ---- history ----
let now = json.value.trim();
const past = [];
const future = [];

function commit() {
  $$("[data-group]", rule).forEach(joinWords);
  const next = read();
  if (next !== now) { past.push(now); future.length = 0; now = next; }
  json.value = now;
  showHistory();
  countSoon();
}

function travel(from, to) {
  if (!from.length) return;
  const focus = whereFocusIs();
  to.push(now);
  now = from.pop();
  draw(now ? JSON.parse(now) : {});
  read();
  json.value = now;
  showHistory();
  countSoon();
  focusAt(focus);
}

function showHistory() {
  $("[data-undo]", form).disabled = !past.length;
  $("[data-redo]", form).disabled = !future.length;
}

const whereFocusIs = () => ({
  path: document.activeElement.closest("[data-path]")?.dataset.path,
  field: document.activeElement.closest("[data-field]")?.dataset.field,
});

function focusAt({ path, field }) {
  const bare = path?.replace(/\/not$/, "");
  const element = [path, bare, `${bare}/not`].map((one) => $(`[data-path="${CSS.escape(one ?? "")}"]`, rule)).find(Boolean);
  ((element && field && input(element, field) && control(input(element, field))) || (element || root()).querySelector("select, input"))?.focus();
}

// ---- live count ----
let timer = 0;
let asking = null;

function countSoon() {
  clearTimeout(timer);
  asking?.abort();
  const starters = $(".rule-starters", form);
  if (starters) starters.hidden = Boolean(now);
  if (!now) { count.innerHTML = hint; showProblems([]); return; }
  timer = setTimeout(countNow, 300);
}

async function countNow() {
  asking = new AbortController();
  const body = new URLSearchParams({ definition: now, segment: form.dataset.segment || "" });
  count.setAttribute("aria-busy", "true");
  try {
    const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
    const answer = await fetch(form.dataset.count, { method: "POST", body, headers, signal: asking.signal });
    if (answer.ok) {
      count.innerHTML = await answer.text();
      showTotal();
      showProblems($$("[data-path]", count).map((line) => line.dataset));
    } else window.toast?.(JSON.parse(document.getElementById("words").textContent).failed, "error");
    count.removeAttribute("aria-busy");
  } catch (error) {
    if (error.name !== "AbortError") count.removeAttribute("aria-busy");
  }
}

// Where the count has no room beside the rule, the figure stands beside the button.
function showTotal() {
  $("[data-total]", form).textContent = $(".count-number", count)?.textContent || "—";
}

// A problem is shown at its row. An input that is simply still empty is only named beside the rule, until it was left.
function showProblems(problems) {
  $$("[data-error]", rule).forEach((line) => { line.hidden = true; line.textContent = ""; });
  $$(".is-wrong", rule).forEach((element) => element.classList.remove("is-wrong"));
  problems.forEach(({ path, code, message }) => {
    const element = $$("[data-path]", rule).filter((one) => path === one.dataset.path || path.startsWith(`${one.dataset.path}/`)).pop();
    if (!element || (code === "required" && !element.dataset.left)) return;
    const name = path.slice(element.dataset.path.length + 1);
    (input(element, name) || element).classList.add("is-wrong");
    const line = $(":scope > [data-error]", element);
    line.textContent = message;
    line.hidden = false;
  });
}

// ---- hands ----
function insert(group, element, before) {
  $(".rule-list", group).insertBefore(element, before || null);
  commit();
  (inputs(element)[0] ? $("select, input", inputs(element)[0]) : $("[data-add]", element))?.focus();
}

function remove(element) {
  const next = element.nextElementSibling || element.previousElementSibling;
  const group = element.parentElement.closest("[data-group]");
  element.remove();
  commit();
  (next ? $("select, input:not([type=checkbox]), input", next) : $("[data-add]", group))?.focus();
}

const copy = (element) => insert(element.parentElement.closest("[data-group]"), drawNode(readNode(element, "")), element.nextElementSibling);

function shift(element, step) {
  const other = step < 0 ? element.previousElementSibling : element.nextElementSibling;
  if (!other) return;
  const focused = document.activeElement;
  other[step < 0 ? "before" : "after"](element);
  commit();
  focused.focus();
}

rule.addEventListener("click", (event) => {
  const element = event.target.closest("[data-kind], [data-group]");
  if (event.target.closest("[data-remove]")) remove(element);
  else if (event.target.closest("[data-duplicate]")) copy(element);
  else if (event.target.closest("[data-add-group]")) insert(element, drawGroup({ any: [] }));
});

rule.addEventListener("change", (event) => {
  if (event.target.matches("[data-add]")) {
    const kind = event.target.value;
    event.target.value = "";
    if (kind) insert(event.target.closest("[data-group]"), drawRow({ kind }));
    return;
  }
  const field = event.target.closest("[data-field]");
  if (field?.dataset.type === "texts") keepChips(field);
  const row = event.target.closest("[data-kind]");
  if (row) settle(row);
  commit();
});

let typing = 0;
rule.addEventListener("input", (event) => {
  const field = event.target.closest("[data-field]");
  if (field?.dataset.type === "texts" && SEPARATORS.test(event.target.value)) keepChips(field);
  const row = event.target.closest("[data-kind]");
  if (row) settle(row);
  clearTimeout(typing);
  typing = setTimeout(commit, 400);
});

rule.addEventListener("focusin", (event) => {
  const field = event.target.closest("[data-suggest]");
  if (field) suggest(field);
});
rule.addEventListener("focusout", (event) => {
  const row = event.target.closest("[data-kind]");
  if (row && !row.contains(event.relatedTarget)) row.dataset.left = "1";
});

rule.addEventListener("keydown", (event) => {
  const field = event.target.closest("[data-field]");
  const chip = field?.dataset.type === "texts" && event.target.matches("input");
  if (chip && event.key === "Enter") { event.preventDefault(); keepChips(field); return commit(); }
  if (chip && event.key === "Backspace" && !event.target.value) { $$(".chip", field).pop()?.remove(); return commit(); }
  if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.altKey && event.target.matches("input")) event.preventDefault();
  const element = event.target.closest("[data-kind], [data-group]:not(.is-root)");
  if (!event.altKey || !element) return;
  const actions = {
    ArrowUp: () => shift(element, -1),
    ArrowDown: () => shift(element, 1),
    Enter: () => copy(element),
    Backspace: () => remove(element),
  };
  if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
});

form.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target === form.elements.name || event.target === json) return;
  const key = event.key.toLowerCase();
  if (key === "z" || key === "y") {
    event.preventDefault();
    clearTimeout(typing);
    commit();
    return key === "y" || event.shiftKey ? travel(future, past) : travel(past, future);
  }
});
$("[data-undo]", form).addEventListener("click", () => travel(past, future));
$("[data-redo]", form).addEventListener("click", () => travel(future, past));

json.addEventListener("change", () => {
  try {
    draw(json.value.trim() ? JSON.parse(json.value) : {});
    commit();
  } catch {
    json.setCustomValidity("JSON");
    json.reportValidity();
  }
});
json.addEventListener("input", () => json.setCustomValidity(""));

// ---- begin: a rule that cannot be drawn stays as JSON, and the server has said what is wrong with it ----
let drawn = true;
try { draw(now ? JSON.parse(now) : {}); } catch { drawn = false; draw({}); }
form.elements.by.value = "json";
form.classList.add("has-script");
$("details", form).open = !drawn;
if (form.hasAttribute("data-refused")) $$("[data-kind]", rule).forEach((row) => { row.dataset.left = "1"; });
now = read();
if (drawn) json.value = now;
if (now && $(".count-number", count)) showTotal();
else if (now) countNow();

// ---- leaving with something unsaved ----
// What was refused is not kept anywhere else.
const start = form.hasAttribute("data-unsaved") ? null : now;
const startName = form.elements.name.value;
let saving = false;
form.addEventListener("submit", () => {
  clearTimeout(typing);
  now = read();
  json.value = now || (drawn ? "" : json.value);
  saving = true;
});
addEventListener("beforeunload", (event) => {
  if (!saving && (now !== start || form.elements.name.value !== startName)) event.preventDefault();
});
