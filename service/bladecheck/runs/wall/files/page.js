"use strict";
// The wall. What is looked at stands in the address, so that Back and a reload work; nothing is kept in the browser.
// Text of posts and names of accounts only ever become text nodes.
const at = (id) => document.getElementById(id);
const grid = at("grid"), one = at("one"), timeline = at("timeline");
const FIELDS = ["by", "decision", "kind", "account", "start", "end", "reposts", "mark", "words", "size"];
const DECISIONS = { hold: "hold", check: "check", cannot_judge: "cannot judge", clear: "clear", waiting: "to be labelled" };
const MONTHS = "January February March April May June July August September October November December".split(" ");
const STATUSES = { failed: "could not be read", remote: "known by address only", missing_media: "not in the archive", video_skipped: "videos that were skipped", video: "videos", not_an_image: "no pictures" };
let known = null, found = null, page = 1, cluster = "", focus = 0, anchor = 0, asked = 0, all = false, opened = null;
const chosen = new Set();

const number = (value) => value.toLocaleString("en");
const count = (value, word) => `${number(value)} ${word}${value === 1 ? "" : "s"}`;
const month = (name) => name === "unknown" ? "without a date" : `${MONTHS[name.slice(5) - 1]} ${name.slice(0, 4)}`;
const tiles = () => [...grid.querySelectorAll(".tile")];

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

async function ask(path, body) {
  let reply;
  try {
    reply = await fetch(path, body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  } catch {
    throw new Error("The program behind this page has stopped. Start it again; all marks so far are kept.");
  }
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

const trouble = (error) => { at("trouble").textContent = error ? error.message : ""; };

// What is looked at: from the form and into it.
function filter() {
  const pairs = FIELDS.filter((name) => name !== "by" && name !== "size").map((name) => [name, at(name).value.trim()]);
  return Object.fromEntries([...pairs, ["cluster", cluster]].filter(([, value]) => value));
}

function query() {
  const values = { ...filter(), ...(at("by").value === "month" ? {} : { by: at("by").value }),
    ...(at("size").value === String(known.size) ? {} : { size: at("size").value }), ...(page > 1 ? { page } : {}) };
  return new URLSearchParams(values);
}

function fromAddress() {
  const values = new URLSearchParams(location.search);
  for (const name of FIELDS) {
    const given = values.get(name), field = at(name);
    field.value = given ?? (name === "by" ? "month" : name === "size" ? known.size : "");
    if (field.selectedIndex === -1) field.selectedIndex = 0;
  }
  cluster = values.get("cluster") || "";
  page = Math.max(1, parseInt(values.get("page"), 10) || 1);
}

async function look(push = true) {
  if (push) history.pushState(null, "", `?${query()}`);
  await load();
}

async function load() {
  const mine = ++asked;
  const values = query();
  let list, months;
  try {
    [list, months] = await Promise.all([ask(`list?${values}`), ask(`months?${values}`)]);
  } catch (error) {
    if (mine === asked) trouble(error);
    return;
  }
  if (mine !== asked) return; // an older answer that came late
  trouble();
  found = list;
  page = list.page;
  chosen.clear();
  all = false;
  anchor = 0;
  showMonths(months);
  showTiles();
  showWords();
}

// The grid.
function heading(tile) {
  const by = at("by").value;
  const of = list => number(found.headings[list] || 0);
  if (by === "month") return `${month(tile.heading)}: ${of(tile.heading)}`;
  if (by === "decision") return `${DECISIONS[tile.heading]}: ${of(tile.heading)}`;
  if (by === "kind") return `${tile.heading ? known.words.kind[tile.heading] || tile.heading : "no blade named"}: ${of(tile.heading)}`;
  if (by === "account") return `${tile.heading}: ${of(tile.heading)}`;
  return by === "posted" ? "Most posted first" : `Posted ${count(tile.times, "time")}`;
}

function showTiles() {
  const groups = [];
  found.tiles.forEach((tile, place) => {
    if (!groups.length || groups[groups.length - 1].heading !== tile.heading) groups.push({ heading: tile.heading, parts: [] });
    groups[groups.length - 1].parts.push([tile, place]);
  });
  grid.replaceChildren(...groups.map((group, place) => {
    const title = make("div", { className: "title", id: `title-${place}`, role: "presentation" }, heading(group.parts[0][0]));
    const box = make("div", { role: "group" }, title, ...group.parts.map(([tile, nth]) => asTile(tile, nth)));
    box.setAttribute("aria-labelledby", title.id);
    return box;
  }));
  grid.hidden = !found.tiles.length;
  at("none").hidden = Boolean(found.tiles.length);
  focus = Math.min(focus, Math.max(0, found.tiles.length - 1));
  showFocus();
  showChosen();
}

function asTile(tile, place) {
  const image = make("img", { alt: "", src: `thumb/${tile.row}` });
  const shown = make("div", { className: "shown" }, image);
  image.addEventListener("error", async () => {
    let why = "can’t be opened";
    try { await ask(`thumb/${tile.row}`); } catch (error) { why = error.message; }
    shown.replaceChildren(make("span", { className: "gone", title: why }, "This picture can’t be opened"));
  });
  const what = tile.kind && tile.decision === "hold" ? `hold, ${known.words.kind[tile.kind] || tile.kind}` : DECISIONS[tile.decision];
  const copies = at("by").value === "posted" ? tile.copies : tile.times;
  const parts = [shown, make("span", { className: "what" }, what), make("span", {}, tile.day ? tile.day.slice(0, 10) : "no date"),
    make("span", {}, tile.account)];
  if (copies > 1) parts.push(make("span", {}, `posted ${number(copies)} times`));
  if (tile.mark) parts.push(make("span", { className: "marked" }, tile.mark === "mixed" ? "marked in part" : `✓ ${known.words.mark[tile.mark]}`));
  const box = make("div", { className: "tile", role: "option", id: `tile-${place}`, tabIndex: -1 }, ...parts);
  box.addEventListener("click", (event) => {
    focus = place;
    if (event.shiftKey) choose(anchor, place);
    else toggle(place);
    showFocus(true);
  });
  box.addEventListener("dblclick", () => open(place));
  box.addEventListener("focus", () => { focus = place; showFocus(); });
  return box;
}

function showFocus(move) {
  tiles().forEach((tile, place) => { tile.tabIndex = place === focus ? 0 : -1; });
  if (move) at(`tile-${focus}`)?.focus();
}

function showChosen() {
  tiles().forEach((tile, place) => tile.setAttribute("aria-selected", String(all || chosen.has(place))));
  at("chosen").textContent = all ? `All ${count(found.total, at("by").value === "posted" ? "group" : "picture")} that match are chosen, on every page.`
    : chosen.size ? `${count(chosen.size, at("by").value === "posted" ? "group" : "picture")} chosen.`
    : "Nothing is chosen: marks go to the picture with the focus.";
}

function toggle(place) {
  all = false;
  if (!chosen.delete(place)) chosen.add(place);
  anchor = place;
  showChosen();
}

function choose(from, to) {
  all = false;
  for (let place = Math.min(from, to); place <= Math.max(from, to); place++) chosen.add(place);
  showChosen();
}

function below(place, step) {
  const boxes = tiles(), here = boxes[place].getBoundingClientRect();
  let row = null, best = place, apart = Infinity;
  for (let next = place + step; next >= 0 && next < boxes.length; next += step) {
    const there = boxes[next].getBoundingClientRect();
    if (Math.abs(there.top - here.top) < 2) continue;
    if (row !== null && Math.abs(there.top - row) > 2) break;
    row = there.top;
    if (Math.abs(there.left - here.left) < apart) { apart = Math.abs(there.left - here.left); best = next; }
  }
  return best;
}

// Words around it.
function showWords() {
  const folded = at("by").value === "posted";
  at("status").textContent = `${count(found.total, folded ? "group" : "picture")} of ${number(known.count)} match; page ${number(found.page)} of ${number(found.pages)}.`;
  at("number").value = found.page;
  at("number").max = found.pages;
  at("of").textContent = `of ${number(found.pages)}`;
  at("back").disabled = found.page <= 1;
  at("on").disabled = found.page >= found.pages;
  at("likes").hidden = !cluster;
  const notes = [];
  if (found.archive.trouble) notes.push(`Pictures can’t be opened: ${found.archive.trouble} Small ones that were made before are shown.`);
  else if (found.archive.opening) notes.push("The archive is still being listed: pictures come as soon as it is.");
  if (found.held) notes.push(`${count(found.held, "picture")} here ${found.held === 1 ? "is" : "are"} drawn for labelling, or look like one that is: what the model said is not told, and no mark is taken, until they are labelled (bladecheck review).`);
  if (at("decision").value || at("kind").value) notes.push("Pictures that wait to be labelled are under “to be labelled”, whatever the model said of them.");
  const without = Object.entries(known.without).map(([status, amount]) => `${number(amount)} ${STATUSES[status] || status}`);
  if (without.length) notes.push(`Not on the wall: ${without.join(", ")}.`);
  if (known.unfinished) notes.push(`${number(known.unfinished)} wait to be scored.`);
  if (known.damaged) notes.push(`${number(known.damaged)} damaged lines in marks.jsonl were passed over.`);
  at("notes").textContent = notes.join(" ");
  at("sheet").textContent = `Contact sheet of run ${known.run_id}: ${count(found.total, folded ? "group" : "picture")}, ${words()}; page ${number(found.page)} of ${number(found.pages)}. ` +
    `Model ${known.model}, policy ${known.policy}. These are a machine’s answers and a curated set of marks; no total may be made of them.`;
}

function words() {
  const parts = FIELDS.filter((name) => !["by", "size"].includes(name) && at(name).value)
    .map((name) => `${document.querySelector(`label[for=${name}]`).textContent.toLowerCase()} “${at(name).selectedOptions ? at(name).selectedOptions[0].textContent : at(name).value}”`);
  if (cluster) parts.push("look-alikes of one picture");
  return parts.length ? parts.join(", ") : "no filter";
}

// Months.
function showMonths(months) {
  const most = Math.max(1, ...months.map((one) => one.pictures));
  const { start, end } = { start: at("start").value, end: at("end").value };
  const had = timeline.contains(document.activeElement);
  const inside = (name) => (start || end) && name >= (start || "0000") && (name !== "unknown" ? !end || name <= end : start === "unknown");
  timeline.replaceChildren(...months.map((one, place) => {
    const bar = (className, amount) => {
      const part = make("span", { className });
      part.style.height = `${amount ? Math.max(1, 64 * amount / most) : 0}px`;
      part.hidden = !amount;
      return part;
    };
    const label = `${month(one.month)}: ${count(one.pictures, "picture")}, ${number(one.hold)} hold`;
    const button = make("button", { type: "button", title: label, tabIndex: -1 }, bar("all", one.pictures - one.hold), bar("hold", one.hold));
    if (one.month === "unknown" || one.month.endsWith("-01") || place === 0) button.append(make("span", { className: "year" }, one.month === "unknown" ? "?" : one.month.slice(0, 4)));
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", String(Boolean(inside(one.month))));
    button.dataset.month = one.month;
    button.addEventListener("click", () => {
      const only = at("start").value === one.month && at("end").value === one.month;
      at("start").value = at("end").value = only ? "" : one.month;
      again();
    });
    return button;
  }));
  const first = timeline.querySelector("[aria-pressed=true]") || timeline.firstElementChild;
  if (first) first.tabIndex = 0;
  if (had && first) first.focus();
  timeline.parentElement.hidden = !months.length;
}

timeline.addEventListener("keydown", (event) => {
  const bars = [...timeline.children], place = bars.indexOf(document.activeElement);
  const to = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (to === undefined || !bars[to]) return;
  event.preventDefault();
  bars[place].tabIndex = -1;
  bars[to].tabIndex = 0;
  bars[to].focus();
});

function again() {
  page = 1;
  focus = 0;
  look();
}

// Marks: the page shows them only after the server has said that they are on the disk.
async function mark(value, places) {
  const rows = places.map((place) => found.tiles[place]?.row).filter(Boolean);
  if (!all && !rows.length) return "";
  const body = { tab: known.tab, mark: value, by: at("by").value, filter: filter() };
  const answer = await ask("mark", all && !opened ? { ...body, all: true } : { ...body, rows });
  const held = answer.held ? ` ${count(answer.held, "picture")} left alone: to be labelled first.` : "";
  return `${count(answer.marked, "picture")} ${value ? `marked “${known.words.mark[value]}”` : "without a mark now"}; it is on the disk.${held}`;
}

async function undo() {
  const answer = await ask("undo", { tab: known.tab });
  return answer.marked ? `The latest mark of this tab was taken back from ${count(answer.marked, "picture")}.` : "This tab has no mark to take back.";
}

async function change(action) {
  const inGrid = grid.contains(document.activeElement);
  try {
    const said = await action();
    if (!said) return;
    await load();
    at("chosen").textContent = said;
    at("status").textContent = `${said} ${at("status").textContent}`;
    if (inGrid) showFocus(true);
  } catch (error) {
    trouble(error);
  }
}

const turn = (to) => {
  if (!found || to < 1 || to > found.pages || to === page) return;
  page = to;
  focus = 0;
  const inGrid = grid.contains(document.activeElement);
  look().then(() => { scrollTo(0, at("tools").offsetTop - 8); if (inGrid) showFocus(true); });
};

const actions = {
  undo: () => change(undo),
  choose: () => { const every = found.tiles.length === chosen.size; all = false; chosen.clear(); if (!every) choose(0, found.tiles.length - 1); else showChosen(); },
  everything: () => { all = !all; chosen.clear(); showChosen(); },
  blur: () => { at("blur").setAttribute("aria-pressed", String(document.body.classList.toggle("blurred"))); },
  print: contactSheet,
  help: () => at("about").showModal(),
  back: () => turn(page - 1),
  on: () => turn(page + 1),
  unlike: () => { cluster = ""; again(); },
  reset: () => { for (const name of FIELDS) if (!["by", "size"].includes(name)) at(name).value = ""; cluster = ""; again(); },
  "o-undo": () => changeOne(undo), "o-blur": blurOne, "o-back": () => open(opened - 1), "o-on": () => open(opened + 1),
  "o-close": () => one.close(),
  "o-alike": () => { cluster = found.tiles[opened].row; one.close(); at("by").value = "month"; again(); },
};
for (const value of ["knife", "no_knife", "again", ""]) {
  actions[`m-${value}`] = () => change(() => mark(value, chosen.size ? [...chosen] : [focus]));
  actions[`o-${value}`] = () => changeOne(() => mark(value, [opened]));
}
for (const [id, action] of Object.entries(actions)) at(id).addEventListener("click", action);
at("filters").addEventListener("change", again);
at("filters").addEventListener("submit", (event) => { event.preventDefault(); again(); });
at("number").addEventListener("change", () => turn(Math.min(found.pages, Math.max(1, parseInt(at("number").value, 10) || page))));

// Single keys work only while the focus is among the pictures, or in the dialog of one.
const gridKeys = { 1: "m-knife", 2: "m-no_knife", 3: "m-again", 0: "m-", u: "undo", b: "blur", a: "choose", "?": "help", pageup: "back", pagedown: "on" };
const oneKeys = { 1: "o-knife", 2: "o-no_knife", 3: "o-again", 0: "o-", u: "o-undo", b: "o-blur", arrowleft: "o-back", arrowright: "o-on" };

grid.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !found?.tiles.length) return;
  const key = event.key, last = found.tiles.length - 1;
  const to = { ArrowLeft: focus - 1, ArrowRight: focus + 1, Home: 0, End: last,
    ArrowUp: key === "ArrowUp" && below(focus, -1), ArrowDown: key === "ArrowDown" && below(focus, 1) }[key];
  if (to !== undefined) {
    event.preventDefault();
    if (to < 0 || to > last) return;
    if (event.shiftKey) choose(focus, to);
    focus = to;
    showFocus(true);
  } else if (key === " ") {
    event.preventDefault();
    toggle(focus);
  } else if (key === "Enter") {
    event.preventDefault();
    open(focus);
  } else if (key === "Escape") {
    all = false;
    chosen.clear();
    showChosen();
  } else if (gridKeys[key.toLowerCase()] && !event.repeat) {
    event.preventDefault();
    actions[gridKeys[key.toLowerCase()]]();
  }
});

// One picture.
async function open(place) {
  const tile = found.tiles[place];
  if (!tile) return;
  opened = focus = place;
  at("one-said").textContent = at("large-trouble").textContent = "";
  at("large").src = `picture/${tile.row}`;
  at("o-back").disabled = place === 0;
  at("o-on").disabled = place === found.tiles.length - 1;
  if (!one.open) {
    one.classList.remove("blurred"); // to open a picture is to ask for it
    at("o-blur").setAttribute("aria-pressed", "false");
    one.showModal();
    at("o-close").focus();
  } else if (document.activeElement === document.body) at("o-close").focus();
  await facts(tile.row);
}

async function facts(row) {
  let told;
  try {
    told = await ask(`about/${row}`);
  } catch (error) {
    at("large-trouble").textContent = error.message;
    return;
  }
  at("one-title").textContent = `${told.day || "No date"}, ${told.account}`;
  const lines = { "Decision": DECISIONS[told.decision], "Knife score": told.score_knife === null ? "" : told.score_knife.toFixed(3),
    "Kind": told.kind && (known.words.kind[told.kind] || told.kind), "Why": told.reasons.join(" "),
    "Mark": told.mark && known.words.mark[told.mark], "Posted": told.times > 1 ? `${number(told.times)} times, look-alikes counted` : "",
    "Sample": told.held ? "Drawn for labelling, or like a picture that is, and not labelled yet: what the model said is not told, and no mark is taken."
      : told.drawn ? "In the drawn sample: its answer there stays as it is, whatever is marked here." : "",
    "Post": told.text, "Description": told.alt_text, "Address": told.post_url || told.media_url, "File": [told.source, told.member].filter(Boolean).join("/"),
    "Row": told.row };
  at("facts").replaceChildren(...Object.entries(lines).filter(([, value]) => value)
    .flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  for (const value of ["knife", "no_knife", "again", ""]) at(`o-${value}`).disabled = told.held;
}

async function changeOne(action) {
  const row = found.tiles[opened].row;
  try {
    const said = await action();
    at("one-said").textContent = said;
    await facts(row);
  } catch (error) {
    at("large-trouble").textContent = error.message;
  }
}

function blurOne() {
  at("o-blur").setAttribute("aria-pressed", String(one.classList.toggle("blurred")));
}

at("large").addEventListener("error", async () => {
  try { await ask(`about/${found.tiles[opened].row}`); } catch { return; }
  try { await ask(at("large").getAttribute("src")); } catch (error) { at("large-trouble").textContent = `This picture can’t be opened. ${error.message}`; }
});
one.addEventListener("keydown", (event) => {
  const id = oneKeys[event.key.toLowerCase()];
  if (!id || event.ctrlKey || event.metaKey || event.altKey || event.repeat || at(id).disabled) return;
  event.preventDefault();
  actions[id]();
});
one.addEventListener("close", async () => {
  const place = opened; // the browser has given the focus back to the picture that was opened first
  opened = null;
  at("large").removeAttribute("src");
  await load();
  focus = Math.min(place, Math.max(0, found.tiles.length - 1));
  showFocus(true);
});

// A contact sheet has all its pictures, or says which can’t be opened, before it prints.
async function contactSheet() {
  const images = [...grid.querySelectorAll("img")];
  await Promise.all(images.map((image) => image.complete || new Promise((done) => { image.onload = image.onerror = done; })));
  print();
}

addEventListener("popstate", () => { fromAddress(); load(); });
addEventListener("visibilitychange", () => { if (!document.hidden && known && opened === null && !chosen.size && !all) load(); }); // another tab may have marked

(async () => {
  try {
    known = await ask("begin", {});
    at("run").textContent = `run ${known.run}`;
    document.title = `Pictures of run ${known.run}`;
    const fill = (id, values, word) => at(id).append(...values.map((value) => make("option", { value }, word(value))));
    fill("decision", known.choices.decision, (value) => DECISIONS[value]);
    fill("kind", known.choices.kind, (value) => known.words.kind[value] || value);
    fill("mark", known.choices.mark, (value) => known.words.mark[value]);
    fill("accounts", known.choices.account, (value) => value);
    for (const id of ["start", "end"]) fill(id, known.choices.month, month);
    fromAddress();
    await load();
  } catch (error) {
    trouble(error);
    at("status").textContent = "";
  }
})();
