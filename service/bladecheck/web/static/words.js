// What the script says, in the page's language: English stands here in the code, another language's phrases in the page.

const words = JSON.parse(document.getElementById("words")?.textContent || "{}");

/** The phrase in the page's language, its {gaps} filled in. */
export function phrase(english, values = {}) {
  return (words[english] ?? english).replace(/\{(\w+)\}/g, (gap, name) => values[name] ?? gap);
}

/** "1 picture", "7 pictures". */
export function pictures(count) {
  return count === 1 ? phrase("1 picture") : phrase("{count} pictures", { count });
}
