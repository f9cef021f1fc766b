"use strict";
// One picture at a time. The next one shows only after the server has said that the answer is on the disk.
const at = (id) => document.getElementById(id);
const frame = at("frame"), picture = at("picture"), ahead = new Image();
let state = null, shownAt = 0, busy = true, startBlurred = false;

async function ask(path, body) {
  const reply = await fetch(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const found = await reply.json();
  if (!reply.ok) throw Object.assign(new Error(found.error), { status: reply.status });
  return found;
}

async function go(path, body) {
  if (busy) return;
  busy = true;
  try {
    show(await ask(path, { tab: state && state.tab, ...body }));
  } catch (error) {
    const lost = error.status === undefined;
    trouble(lost ? "The program that keeps the answers has stopped. Start it again; all answers so far are kept." : error.message);
    at("take").hidden = error.status !== 409;
    lock(true);
  }
  busy = false;
}

function show(found) {
  state = found;
  trouble("");
  at("take").hidden = true;
  const left = found.minutes === null || !found.row ? "" : `, about ${Math.max(1, found.minutes)} min`;
  at("progress").textContent = found.row
    ? `${found.done.toLocaleString("en")} of ${found.total.toLocaleString("en")}${left}`
    : `All ${found.total.toLocaleString("en")} are labelled. You can close this page; next: bladecheck estimate.`;
  at("bar").max = found.total;
  at("bar").value = found.done;
  const both = found.answers || [];
  at("both").hidden = !both.length;
  at("both").textContent = both.map((one) => `${one.who}: ${{ yes: "yes", no: "no", unsure: "can’t tell" }[one.answer]}`).join("; ");
  frame.hidden = !found.row;
  lock(!found.row);
  at("undo").disabled = !found.can_undo;
  if (!found.row) return;
  press("zoom", false);
  press("blur", startBlurred);
  picture.src = `picture/${found.row}`;
  if (found.next) ahead.src = `picture/${found.next}`;
  shownAt = performance.now();
}

function lock(locked) {
  for (const id of ["yes", "no", "unsure", "undo"]) at(id).disabled = locked;
}

function trouble(text) {
  at("trouble").textContent = text;
}

function press(id, on) {
  at(id).setAttribute("aria-pressed", String(on));
  frame.classList.toggle({ zoom: "zoomed", blur: "blurred", grey: "grey" }[id], on);
}

const toggle = (id) => press(id, at(id).getAttribute("aria-pressed") !== "true");
const answer = (value) => state && state.row && !at(value).disabled &&
  go("answer", { row: state.row, answer: value, seconds: (performance.now() - shownAt) / 1000 });
const undo = () => state && state.can_undo && !at("undo").disabled && go("undo", {});
const actions = {
  yes: () => answer("yes"), no: () => answer("no"), unsure: () => answer("unsure"), undo,
  zoom: () => toggle("zoom"), blur: () => toggle("blur"), grey: () => toggle("grey"),
  help: () => at("about").showModal(), take: begin,
};
const keys = { 1: "yes", 2: "no", 3: "unsure", u: "undo", backspace: "undo", z: "zoom", b: "blur", g: "grey", "?": "help" };

for (const [id, action] of Object.entries(actions)) at(id).addEventListener("click", action);
document.addEventListener("keydown", (event) => {
  const id = keys[event.key.toLowerCase()];
  if (!id || event.ctrlKey || event.metaKey || event.altKey || event.repeat || at("about").open) return;
  event.preventDefault();
  actions[id]();
});
picture.addEventListener("error", () => trouble("This picture can’t be opened: answer “can’t tell”, or mend the archive and reload."));
picture.addEventListener("load", () => frame.classList.toggle("small", picture.naturalHeight < frame.clientHeight / 2));

async function begin() {
  busy = false;
  await go("begin", {});
}

(async () => {
  busy = true;
  try {
    const found = await ask("begin", {});
    startBlurred = found.blur;
    show(found);
  } catch (error) {
    trouble(error.message);
  }
  busy = false;
})();
