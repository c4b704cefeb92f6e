// The fragment of a link: `#1=`, followed by JSON, deflated, in URL-safe base64. Browsers send no fragment to a server.
const MARK = "#1=";

async function through(stream, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

function toBase64(bytes) {
  let letters = "";
  for (let at = 0; at < bytes.length; at += 0x8000) letters += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(letters);
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
}

/** Returns the fragment for a state. */
async function toFragment(state) {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  const base64 = toBase64(await through(new CompressionStream("deflate-raw"), bytes));
  return MARK + base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Returns the state in a fragment; undefined if it has none or a broken one. */
async function fromFragment(fragment) {
  if (!fragment.startsWith(MARK)) return undefined;
  try {
    const bytes = fromBase64(fragment.slice(MARK.length).replaceAll("-", "+").replaceAll("_", "/"));
    const state = JSON.parse(new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes)));
    const texts = ["config", "findings", "arrival", "at"];
    return texts.every(name => typeof state[name] === "string") ? state : undefined;
  } catch {
    return undefined;
  }
}
