// The inputs of one row of the segment builder: what they hold, which of them apply, what they suggest.

export const $ = (selector, root) => root.querySelector(selector);
export const $$ = (selector, root) => Array.from(root.querySelectorAll(selector));
export const SEPARATORS = /[,，、;；\n]/;
const words = document.getElementById("builder").dataset;
let numbered = 0;

// ---- inputs ----
export const inputs = (row) => $$("[data-field]", row);
export const input = (row, name) => $(`[data-field="${CSS.escape(name)}"]`, row);
export const control = (field) => $("select, input:not([type=checkbox])", field);

export function valueOf(field) {
  const type = field.dataset.type;
  if (type === "many") return $$("input:checked", field).map((box) => box.value);
  if (type === "texts") return [...$$(".chip", field).map((chip) => chip.dataset.value), ...pieces(control(field).value)];
  return control(field).value.trim();
}

export function setValue(field, value) {
  const type = field.dataset.type;
  if (type === "many") $$("input", field).forEach((box) => { box.checked = [].concat(value ?? []).includes(box.value); });
  else if (type === "texts") { $$(".chip", field).forEach((chip) => chip.remove()); [].concat(value ?? []).forEach((text) => addChip(field, text)); }
  else {
    const box = control(field);
    if (type === "pick" && value && !Array.from(box.options).some((option) => option.value === value)) box.add(new Option(value, value));
    box.value = value ?? "";
  }
}

const pieces = (text) => text.split(SEPARATORS).map((part) => part.trim()).filter(Boolean);

function addChip(field, text) {
  if ($$(".chip", field).some((chip) => chip.dataset.value === String(text))) return;
  const chip = document.createElement("span");
  const remove = document.createElement("button");
  chip.className = "chip";
  chip.dataset.value = text;
  remove.type = "button";
  remove.textContent = "×";
  remove.setAttribute("aria-label", `${words.removeWord} ${text}`);
  remove.addEventListener("click", () => {
    chip.remove();
    control(field).focus();
    control(field).dispatchEvent(new Event("change", { bubbles: true }));
  });
  chip.append(String(text), remove);
  control(field).before(chip);
}

export function keepChips(field) {
  const typed = pieces(control(field).value);
  control(field).value = "";
  typed.forEach((text) => addChip(field, text));
}

// Which inputs and options have a say, given what the others hold.
export function settle(row) {
  inputs(row).forEach((field) => {
    const by = field.dataset.typedBy && control(input(row, field.dataset.typedBy));
    if (by) fit(control(field), by.selectedOptions[0]?.dataset.type);
    const [name, wanted] = (field.dataset.when || "").split(":");
    if (!name) return;
    const other = input(row, name);
    const held = other.hidden ? "" : valueOf(other);
    field.hidden = !held || (wanted && !wanted.split(",").includes(held));
  });
}

function fit(select, type) {
  Array.from(select.options).forEach((option) => {
    option.hidden = option.disabled = Boolean(type) && !option.dataset.type.split(",").includes(type);
  });
  if (select.selectedOptions[0]?.disabled ?? true) select.value = Array.from(select.options).find((option) => !option.disabled)?.value;
}

// ---- suggestions ----
const known = new Map();
const about = { property: "event", value: "name", fact: "fact" };

export async function suggest(field) {
  const other = about[field.dataset.suggest];
  const row = field.closest("[data-kind]");
  if (!other || !valueOf(input(row, other))) return;
  const url = `${words.suggest}?${new URLSearchParams({ of: field.dataset.suggest, for: valueOf(input(row, other)) })}`;
  if (!known.has(url)) known.set(url, fetch(url).then((answer) => (answer.ok ? answer.json() : { results: [] })).catch(() => ({ results: [] })));
  const { results } = await known.get(url);
  const list = listOf(field);
  list.replaceChildren(...results.map((value) => Object.assign(document.createElement("option"), { value })));
}

export function listOf(field) {
  const box = control(field);
  const list = $("datalist", field) || field.appendChild(document.createElement("datalist"));
  if (!list.id) box.setAttribute("list", (list.id = `list-${(numbered += 1)}`));
  return list;
}
