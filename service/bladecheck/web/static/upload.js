// Checks the chosen pictures one by one in the page, so that each answer shows as soon as it is there.
// The server renders every answer; this file only sends, places and counts.

import { Choosing, gone, isReadable } from "./choosing.js";
import { enhanceCopies, remember } from "./editor.js";
import { forget, forgetFiles, keep, keepFile, kept } from "./kept.js";
import { mark } from "./leaving.js";
import { element, explain, showProblems } from "./problems.js";
import { entitle, show, view, wanted } from "./views.js";
import { phrase, pictures } from "./words.js";

const AT_ONCE = 2;
const MOST_TRIES = 6;
const LONGEST_WAIT = 30;
const NOT_CHECKED = "Not checked";
const ORDER = [["Hold", "{count} to hold"], ["Check", "{count} to check"], ["Cannot judge", "{count} not judged"], [NOT_CHECKED, "{count} not checked"], ["Clear", "{count} clear"]];

/** Take over the form: `form` is the upload form, `enhance` is called with each new piece of the page. */
export function enhanceUpload(form, enhance) {
  const input = form.querySelector("input[type=file]");
  const choosing = new Choosing(form, input);
  acceptDropsAnywhere(form, input);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problems = await choosing.problems();
    if (problems.length) return showProblems(problems);
    const files = choosing.files();
    startAfresh();
    files.forEach((file, index) => { remember(index + 1, file); keepFile(index + 1, file); });
    return checkAll(form, files, files.map((file) => choosing.sameAs(file)), enhance);
  });
  restore(form, enhance);
}

/** What an earlier check left behind goes, on this computer too. */
function startAfresh() {
  forgetFiles();
  forget();
  for (const name of ["results", "record", "finished"]) document.querySelector(`[data-view="${name}"]`)?.remove();
}

/** After a reload, or a way back that the browser kept no page for: the answers as they were. */
function restore(form, enhance) {
  forgetFiles({ own: false });
  const rows = kept("rows");
  if (!rows?.some((row) => kept(`card.${row.number}`))) return;
  const asked = location.hash || history.state?.view;
  const page = openResults();
  enhance(page.record);
  page.queue.classList.toggle("bc-queue--compact", rows.length > 6);
  const places = rows.map(({ number, name, same }) => {
    const place = { row: addRow(page.queue, name, same), slot: page.cards.appendChild(document.createElement("div")), word: null };
    const html = kept(`card.${number}`);
    if (html) fill(place, html, enhance);
    else fail(place, phrase("The page was reloaded before this picture was checked. Choose it again."));
    return place;
  });
  inOrder(page, places);
  page.title.textContent = finishedTitle(places);
  page.summary.textContent = counted(places);
  page.record.hidden = !page.cards.querySelector("[name=sealed]");
  if (asked) show(wanted() || "results", { push: false });
  else offer(page);
  if (asked && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** On a fresh first page: say that the last answers are still here. */
function offer(page) {
  const note = document.createElement("div");
  note.className = "govuk-inset-text";
  note.append(phrase("The answers of the last check ({many}) are still in this tab. ", { many: pictures(page.queue.children.length) }));
  const again = note.appendChild(element("button", "govuk-button govuk-button--secondary", phrase("Show them")));
  again.type = "button";
  again.addEventListener("click", () => show("results"));
  const gone = note.appendChild(element("button", "govuk-button govuk-button--secondary", phrase("Forget them")));
  gone.type = "button";
  gone.addEventListener("click", () => { startAfresh(); note.remove(); });
  note.id = "kept-answers";
  document.getElementById("upload-form").before(note);
}

/** Put an answer in its place. */
function fill(place, html, enhance) {
  place.slot.innerHTML = html;
  enhance(place.slot);
  enhanceCopies(place.slot);
  const card = place.slot.querySelector(".bc-card");
  place.row.finish(card.id, card.dataset.word, card.dataset.style);
  place.word = card.dataset.word;
}

/** Say why a picture has no answer; `way` is what can be done about it: {label, act}. */
function fail(place, problem, way = null) {
  place.row.fail(problem, way);
  place.word = NOT_CHECKED;
}

/** The most pressing first, once all are there: moving them earlier would pull away what is being read. */
function inOrder(page, places) {
  const rank = (place) => ORDER.findIndex(([word]) => word === place.word);
  const sorted = [...places].sort((one, other) => rank(one) - rank(other));
  const focused = document.activeElement;
  const read = places.map(({ slot }) => slot).find((slot) => slot.getBoundingClientRect().bottom > 0 && slot.getBoundingClientRect().top < 0);
  const before = read?.getBoundingClientRect().top;
  page.queue.append(...sorted.map(({ row }) => row.node));
  page.cards.append(...sorted.map(({ slot }) => slot));
  if (focused !== document.activeElement && page.cards.parentElement.contains(focused)) focused.focus({ preventScroll: true });
  if (read) window.scrollBy(0, read.getBoundingClientRect().top - before);
}

function finishedTitle(places) {
  const many = pictures(places.length);
  const missing = places.filter(({ word }) => word === NOT_CHECKED).length;
  return missing ? phrase("{done} of {many} checked", { done: places.length - missing, many }) : phrase("{many} checked", { many });
}

/** Keep an answer for a reload, without the copy's file, which would not fit; it is asked for again then. */
function keepCard(number, html) {
  const made = document.createElement("template");
  made.innerHTML = html;
  for (const link of made.content.querySelectorAll("[data-download]")) link.removeAttribute("href");
  const text = () => made.innerHTML;
  if (keep(`card.${number}`, text())) return;
  for (const image of made.content.querySelectorAll("img")) image.removeAttribute("src");
  keep(`card.${number}`, text());
}

/** A picture dropped beside the drop zone counts too; by itself, the browser would leave the page to show it. */
function acceptDropsAnywhere(form, input) {
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    if (form.checkVisibility()) {
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new CustomEvent("change"));
    }
  });
}

async function checkAll(form, files, same, enhance) {
  const page = openResults();
  enhance(page.record);
  show("results");
  mark("checking", true);
  keep("rows", files.map((file, index) => ({ number: index + 1, name: file.name, size: file.size, same: same[index] })));
  page.queue.classList.toggle("bc-queue--compact", files.length > 6);
  const places = files.map((file, index) => ({
    row: addRow(page.queue, file.name, same[index]), slot: page.cards.appendChild(document.createElement("div")), word: null,
  }));

  const progress = document.createElement("progress");
  progress.className = "bc-progress";
  progress.max = files.length;
  progress.value = 0;
  progress.setAttribute("aria-label", phrase("Pictures checked"));
  page.summary.before(progress);
  const rest = page.queue.parentElement.appendChild(element("button", "govuk-button govuk-button--secondary", ""));
  rest.type = "button";
  rest.addEventListener("click", () => { rest.hidden = true; page.title.focus(); checkRest(); });
  say();

  function say() {
    const many = pictures(files.length);
    const missing = places.filter(({ word }) => word === NOT_CHECKED);
    const done = places.filter(({ word }) => word).length - missing.length;
    const finished = done + missing.length === files.length;
    if (finished) inOrder(page, places);
    page.title.textContent = finished ? finishedTitle(places) : phrase("Checking {many}", { many });
    page.summary.textContent = finished ? counted(places)
      : phrase(missing.length ? "{done} of {many} done, {missing} not checked." : "{done} of {many} done.", { done, many, missing: missing.length });
    entitle("results");
    progress.value = done;
    progress.hidden = finished;
    page.record.hidden = !page.cards.querySelector("[name=sealed]");
    rest.hidden = !finished || missing.length < 2;
    rest.textContent = phrase("Try all {count} again that were not checked", { count: missing.length });
    if (finished) mark("checking", false);
  }

  async function work(index) {
    const place = places[index];
    place.word = null;
    place.row.state(phrase("Checking"), "waiting");
    const answer = await send(form.dataset.pictureUrl, files[index], index + 1);
    if (answer.html) {
      keepCard(index + 1, answer.html);
      fill(place, answer.html, enhance);
    } else if (answer.gone) {
      fail(place, answer.problem, { label: phrase("Choose it again"), act: () => chooseAgain(index) });
    } else {
      fail(place, answer.problem, { label: phrase("Try again"), act: () => again(index) });
    }
    say();
  }

  function again(index) {
    places[index].word = null;
    say();
    return work(index);
  }

  /** Another file in the place of one that is gone. */
  function chooseAgain(index) {
    const input = element("input");
    input.type = "file";
    input.addEventListener("change", () => {
      const [file] = input.files;
      if (!file) return;
      places[index].row.wait();
      files[index] = file;
      remember(index + 1, file);
      keepFile(index + 1, file);
      places[index].row.rename(file.name);
      again(index);
    });
    input.click();
  }

  async function checkRest() {
    const waiting = [...places.keys()].filter((index) => places[index].word === NOT_CHECKED);
    for (const index of waiting) { places[index].word = null; places[index].row.wait(); }
    say();
    await inTurns(waiting.values());
  }

  async function inTurns(waiting) {
    await Promise.all(Array.from({ length: AT_ONCE }, async () => { for (const index of waiting) await work(index); }));
  }

  await inTurns(files.keys());
}

/** Send one picture; waits and tries again while the service is busy. Returns {html}, or {problem} and maybe {gone}. */
async function send(url, file, position) {
  for (let tries = 1; ; tries += 1) {
    const body = new FormData();
    body.append("file", file);
    let response;
    try {
      response = await fetch(`${url}?position=${position}`, { method: "POST", body });
    } catch {
      if (!await isReadable(file)) return { gone: true, problem: `${gone(file.name)}.` };
      return { problem: phrase("The service could not be reached. The picture may be too large, or the connection is lost.") };
    }
    if (response.ok) return { html: await response.text() };
    const again = [429, 503].includes(response.status) && tries < MOST_TRIES;
    if (!again) return { problem: await explain(response) };
    const seconds = Math.min(LONGEST_WAIT, Number(response.headers.get("Retry-After")) || 2);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

/** The empty answers' page, as a view of its own, and its parts. */
function openResults() {
  const results = view("results");
  results.replaceChildren(document.getElementById("results-template").content.cloneNode(true));
  const found = (id) => results.querySelector(`#${id}`);
  return {
    title: found("results-title"), summary: found("results-summary"), queue: found("queue"), cards: found("cards"),
    record: found("record-form"),
  };
}

/** One line of the list: waiting, then a link to its answer, or what went wrong and a way out. */
function addRow(queue, name, same) {
  const row = queue.appendChild(document.createElement("li"));
  row.className = "bc-queue__row";
  let label = row.appendChild(element("span", "bc-queue__name", name));
  const state = row.appendChild(element("span", "bc-queue__state"));
  if (same) row.append(element("p", "bc-queue__note", phrase("The same picture as {name}", { name: same })));
  const say = (word, style) => state.replaceChildren(element("span", `bc-state bc-state--${style}`, word));
  const clear = () => { for (const one of row.querySelectorAll(".bc-queue__problem, .bc-queue__again")) one.remove(); };
  const made = {
    node: row,
    state: say,
    wait() { clear(); say(phrase("Waiting"), "waiting"); },
    rename(other) { name = other; label.textContent = other; },
    finish(anchor, word, style) {
      const link = element("a", "govuk-link bc-queue__name", name);
      link.href = `#${anchor}`;
      label.replaceWith(link);
      label = link;
      say(phrase(word), style);
    },
    fail(problem, way) {
      say(phrase(NOT_CHECKED), "unknown");
      row.append(element("p", "govuk-error-message bc-queue__problem", problem));
      if (!way) return;
      const button = row.appendChild(element("button", "govuk-button govuk-button--secondary bc-queue__again", way.label));
      button.type = "button";
      button.append(element("span", "govuk-visually-hidden", phrase(" to check {name}", { name })));
      button.addEventListener("click", () => { if (way.label === phrase("Try again")) clear(); way.act(); });
    },
  };
  made.wait();
  return made;
}

function counted(places) {
  const count = (word) => places.filter((place) => place.word === word).length;
  return ORDER.filter(([word]) => count(word)).map(([word, said]) => phrase(said, { count: count(word) })).join(", ") + ".";
}
