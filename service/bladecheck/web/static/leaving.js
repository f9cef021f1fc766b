// Leaving with unsaved work warns. Following a link within the service loses nothing, so it does not warn.

const unsaved = new Set();
let staying = false;

/** Say whether a piece of work would be lost if the tab were closed now. */
export function mark(work, isUnsaved) {
  if (isUnsaved) unsaved.add(work);
  else unsaved.delete(work);
  // Only while it is needed: a listener keeps some browsers from holding the page for Back.
  window[unsaved.size ? "addEventListener" : "removeEventListener"]("beforeunload", warn);
}

function warn(event) {
  if (!staying) event.preventDefault();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (link && link.origin === location.origin && !link.target && !event.ctrlKey && !event.metaKey) staying = true;
  setTimeout(() => { staying = false; }, 1000);
}, true);
document.addEventListener("submit", () => { staying = true; }, true);
window.addEventListener("pageshow", () => { staying = false; });
