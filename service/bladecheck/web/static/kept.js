// What must outlive a reload, and nothing else: answers and what was typed, in this tab's session storage; the chosen
// files in the browser's own database, encrypted with a key that only this tab's session storage holds. Closing the tab
// throws the key away, and with it all that could be read. Nothing of it goes to the service.

const PREFIX = "bladecheck.";
const STORE = "files";
const OLD = 12 * 3600 * 1000;
let making = null;

/** Keep a value under a name; false if the browser has no room for it, or keeps nothing at all. */
export function keep(name, value) {
  try {
    sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export function kept(name) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name));
  } catch {
    return null;
  }
}

/** Forget whatever name begins so; without one, everything. */
export function forget(start = "") {
  making = null;
  try {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(PREFIX + start)) sessionStorage.removeItem(name);
  } catch { /* a browser that keeps nothing has nothing to forget */ }
}

/** Keep a file for a reload. Where the browser gives a page no encryption (plain http beyond this machine), it is not kept. */
export async function keepFile(number, file) {
  try {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await key(true), await file.arrayBuffer());
    await run("readwrite", (store) => store.put({ iv, data, at: Date.now() }, `${session()}/${number}`));
    keep(`file.${number}`, { name: file.name, type: file.type });
  } catch { /* then Back still works, and after a reload the person chooses the file again */ }
}

/** The kept file of that number, or null. */
export async function keptFile(number) {
  try {
    const about = kept(`file.${number}`);
    const found = about && await run("readonly", (store) => store.get(`${session()}/${number}`));
    if (!found) return null;
    const data = await crypto.subtle.decrypt({ name: "AES-GCM", iv: found.iv }, await key(false), found.data);
    return new File([data], about.name, { type: about.type });
  } catch {
    return null;
  }
}

/** Remove this tab's files, and what tabs that are long closed left behind. */
export async function forgetFiles({ own = true } = {}) {
  try {
    const mine = `${kept("session")}/`;
    await run("readwrite", (store) => {
      const cursor = store.openCursor();
      cursor.onsuccess = () => {
        const entry = cursor.result;
        if (!entry) return;
        if ((own && entry.key.startsWith(mine)) || entry.value.at < Date.now() - OLD) entry.delete();
        entry.continue();
      };
      return cursor;
    });
  } catch { /* nothing was kept */ }
}

function session() {
  if (!kept("session")) keep("session", [...crypto.getRandomValues(new Uint8Array(12))].join("-"));
  return kept("session");
}

/** This tab's key; files that are kept at the same time wait for one and the same. */
async function key(make) {
  const old = kept("key");
  if (old) return crypto.subtle.importKey("jwk", old, "AES-GCM", true, ["encrypt", "decrypt"]);
  if (!make) throw new Error("no key");
  making ??= newKey();
  return making;
}

async function newKey() {
  const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]);
  keep("key", await crypto.subtle.exportKey("jwk", made));
  return made;
}

/** One transaction of the database; resolves with the request's result when all of it is done. */
function run(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("bladecheck", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => { database.close(); resolve(request.result); };
      transaction.onerror = transaction.onabort = () => { database.close(); reject(transaction.error); };
    };
  });
}
