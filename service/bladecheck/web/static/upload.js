// Checks the chosen pictures one by one in the page, so that each answer shows as soon as it is there.
// The server renders every answer; this file only sends, places and counts.

import { enhanceCopies, remember } from "./editor.js";
import { forget, forgetFiles, keep, keepFile, kept } from "./kept.js";
import { mark } from "./leaving.js";
import { entitle, show, view, wanted } from "./views.js";

const AT_ONCE = 2;
const MOST_TRIES = 6;
const LONGEST_WAIT = 30;

/** Take over the form: `form` is the upload form, `enhance` is called with each new piece of the page. */
export function enhanceUpload(form, enhance) {
  const input = form.querySelector("input[type=file]");
  const inputId = form.querySelector("label").htmlFor;
  acceptDropsAnywhere(form, input);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const files = [...input.files];
    const most = Number(form.dataset.most);
    if (!files.length) return showError(inputId, "Select at least one picture");
    if (files.length > most) return showError(inputId, `You can only check up to ${most} pictures at the same time`);
    startAfresh();
    files.forEach((file, index) => { remember(index + 1, file); keepFile(index + 1, file); });
    return checkAll(form, files, enhance);
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
  const tally = new Map();
  for (const { number, name, size } of rows) {
    const row = addRow(page.queue, name);
    const slot = page.cards.appendChild(document.createElement("div"));
    const html = kept(`card.${number}`);
    if (html) fill(slot, html, row, tally, enhance);
    else {
      row.fail("The page was reloaded before this picture was checked. Choose it again.");
      tally.set("Not checked", (tally.get("Not checked") || 0) + 1);
    }
  }
  page.title.textContent = `${rows.length === 1 ? "1 picture" : `${rows.length} pictures`} checked`;
  page.summary.textContent = counted(tally);
  page.record.hidden = !page.cards.querySelector("[name=sealed]");
  if (asked) show(wanted() || "results", { push: false });
  else offer(page);
  if (asked && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** On a fresh first page: say that the last answers are still here. */
function offer(page) {
  const note = document.createElement("div");
  note.className = "govuk-inset-text";
  note.append(`The answers of the last check (${page.title.textContent.replace(" checked", "")}) are still in this tab. `);
  const again = note.appendChild(element("button", "govuk-button govuk-button--secondary", "Show them"));
  again.type = "button";
  again.addEventListener("click", () => show("results"));
  const gone = note.appendChild(element("button", "govuk-button govuk-button--secondary", "Forget them"));
  gone.type = "button";
  gone.addEventListener("click", () => { startAfresh(); note.remove(); });
  note.id = "kept-answers";
  document.getElementById("upload-form").before(note);
}

/** Put an answer in its place. */
function fill(slot, html, row, tally, enhance) {
  slot.innerHTML = html;
  enhance(slot);
  enhanceCopies(slot);
  const card = slot.querySelector(".bc-card");
  row.finish(card.id, card.dataset.word, card.dataset.style);
  tally.set(card.dataset.word, (tally.get(card.dataset.word) || 0) + 1);
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

async function checkAll(form, files, enhance) {
  const page = openResults();
  show("results");
  mark("checking", true);
  keep("rows", files.map((file, index) => ({ number: index + 1, name: file.name, size: file.size })));
  const rows = files.map((file) => addRow(page.queue, file.name));
  const slots = files.map(() => page.cards.appendChild(document.createElement("div")));
  const tally = new Map();
  let done = 0;

  const progress = document.createElement("progress");
  progress.className = "bc-progress";
  progress.max = files.length;
  progress.value = 0;
  progress.setAttribute("aria-label", "Pictures checked");
  page.summary.before(progress);
  say();

  function say() {
    const many = files.length === 1 ? "1 picture" : `${files.length} pictures`;
    const finished = done === files.length;
    page.title.textContent = finished ? `${many} checked` : `Checking ${many}`;
    page.summary.textContent = finished ? counted(tally) : `${done} of ${many} done.`;
    entitle("results");
    progress.value = done;
    progress.hidden = finished;
    page.record.hidden = !page.cards.querySelector("[name=sealed]");
    if (finished) mark("checking", false);
  }

  async function work(index) {
    rows[index].state("Checking", "waiting");
    const answer = await send(form.dataset.pictureUrl, files[index], index + 1);
    if (answer.html) {
      keepCard(index + 1, answer.html);
      fill(slots[index], answer.html, rows[index], tally, enhance);
    } else {
      rows[index].fail(answer.problem, () => { uncount(); work(index).then(say); });
      tally.set("Not checked", (tally.get("Not checked") || 0) + 1);
    }
    done += 1;
    say();
  }

  function uncount() { tally.set("Not checked", tally.get("Not checked") - 1); done -= 1; say(); }

  const waiting = files.keys();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => { for (const index of waiting) await work(index); }));
}

/** Send one picture; waits and tries again while the service is busy. Returns {html} or {problem}. */
async function send(url, file, position) {
  for (let tries = 1; ; tries += 1) {
    const body = new FormData();
    body.append("file", file);
    let response;
    try {
      response = await fetch(`${url}?position=${position}`, { method: "POST", body });
    } catch {
      return { problem: "The service could not be reached. The picture may be too large, or the connection is lost." };
    }
    if (response.ok) return { html: await response.text() };
    const again = [429, 503].includes(response.status) && tries < MOST_TRIES;
    if (!again) return { problem: await explain(response) };
    const seconds = Math.min(LONGEST_WAIT, Number(response.headers.get("Retry-After")) || 2);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

async function explain(response) {
  if (response.status === 413) return "The picture is too large. Save a smaller copy and try again.";
  if ([429, 503].includes(response.status)) return "The service is busy. Wait a little and try again.";
  const problem = await response.json().catch(() => ({}));
  return problem.detail || "The service had a problem. Try again.";
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

/** One line of the list: waiting, then a link to its answer, or what went wrong and a button to try again. */
function addRow(queue, name) {
  const row = queue.appendChild(document.createElement("li"));
  row.className = "bc-queue__row";
  let label = row.appendChild(element("span", "bc-queue__name", name));
  const state = row.appendChild(element("span", "bc-queue__state"));
  const say = (word, style) => state.replaceChildren(element("span", `bc-state bc-state--${style}`, word));
  say("Waiting", "waiting");
  return {
    state: say,
    finish(anchor, word, style) {
      const link = element("a", "govuk-link bc-queue__name", name);
      link.href = `#${anchor}`;
      label.replaceWith(link);
      label = link;
      say(word, style);
    },
    fail(problem, again) {
      say("Not checked", "unknown");
      const message = row.appendChild(element("p", "govuk-error-message bc-queue__problem", problem));
      if (!again) return;
      const button = row.appendChild(element("button", "govuk-button govuk-button--secondary bc-queue__again", "Try again"));
      button.type = "button";
      button.append(element("span", "govuk-visually-hidden", ` to check ${name}`));
      button.addEventListener("click", () => { message.remove(); button.remove(); again(); });
    },
  };
}

function counted(tally) {
  const words = [["Hold", "to hold"], ["Check", "to check"], ["Cannot judge", "not judged"], ["Not checked", "not checked"], ["Clear", "clear"]];
  return words.filter(([word]) => tally.get(word)).map(([word, said]) => `${tally.get(word)} ${said}`).join(", ") + ".";
}

/** The error summary and message that the server would show. */
function showError(inputId, text) {
  document.querySelector(".govuk-error-summary")?.remove();
  document.getElementById("pictures-error")?.remove();
  const summary = document.createElement("div");
  summary.className = "govuk-error-summary";
  summary.tabIndex = -1;
  summary.innerHTML = `<div role="alert"><h2 class="govuk-error-summary__title">There is a problem</h2>
    <div class="govuk-error-summary__body"><ul class="govuk-list govuk-error-summary__list"><li><a></a></li></ul></div></div>`;
  const link = summary.querySelector("a");
  link.textContent = text;
  link.href = `#${inputId}`;
  link.addEventListener("click", (event) => { event.preventDefault(); document.getElementById(inputId).focus(); });
  const column = element("div", "govuk-grid-column-two-thirds");
  column.append(summary);
  const row = element("div", "govuk-grid-row");
  row.append(column);
  document.getElementById("start").prepend(row);

  const message = element("p", "govuk-error-message");
  message.id = "pictures-error";
  message.append(element("span", "govuk-visually-hidden", "Error: "), text);
  document.getElementById("pictures-hint").after(message);
  document.getElementById("upload-group").classList.add("govuk-form-group--error");
  document.getElementById(inputId).setAttribute("aria-describedby", "pictures-hint pictures-error");
  if (!document.title.startsWith("Error: ")) document.title = `Error: ${document.title}`;
  summary.focus();
  window.scrollTo(0, 0);
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
