// The start page holds its later stages too: start, results, record, finished. One shows at a time, and Back and
// Forward go between them, so that no stage has to be made anew. The page itself is never left for them.

import { phrase } from "./words.js";

/** The view of that name, made empty if there is none yet. */
export function view(name) {
  const found = document.querySelector(`[data-view="${name}"]`);
  if (found) return found;
  const made = document.createElement("div");
  made.dataset.view = name;
  made.hidden = true;
  document.getElementById("main-content").append(made);
  return made;
}

/** Show one view and hide the others; `push` makes it a step of the browser's history. */
export function show(name, { push = true } = {}) {
  for (const one of document.querySelectorAll("[data-view]")) one.hidden = one.dataset.view !== name;
  const shown = view(name);
  document.querySelector(".govuk-error-summary:not([data-view] *)")?.closest(".govuk-grid-row").remove();
  if (push) history.pushState({ view: name }, "", name === "start" ? location.pathname : `#${name}`);
  entitle(name);
  if (push) window.scrollTo(0, 0);
  const title = shown.querySelector("h1");
  if (push && title) {
    title.tabIndex = -1;
    title.focus();
  }
}

/** The document's title follows the heading of what is shown. */
export function entitle(name) {
  const shown = view(name);
  if (shown.hidden) return;
  const title = shown.dataset.title || shown.querySelector("h1")?.textContent.trim();
  document.title = `${shown.querySelector(".govuk-error-summary") ? phrase("Error: ") : ""}${title} – Bladecheck`;
}

/** Follow Back and Forward. A link to a place within a view is a step too: it stays in that view. */
export function followHistory() {
  window.addEventListener("popstate", () => { const name = wanted(); if (name) show(name, { push: false }); });
}

/** The view that the address and the history ask for, if it is there. */
export function wanted() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const name = history.state?.view || target?.closest?.("[data-view]")?.dataset.view || (location.hash ? location.hash.slice(1) : "start");
  return document.querySelector(`[data-view="${CSS.escape(name)}"]`) ? name : null;
}
