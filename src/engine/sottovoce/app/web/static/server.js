// The server: what it sends and who draws it, what it is asked, and whether it is there.

import { $, el } from "./dom.js";
import { t } from "./words.js";

const PATIENCE_MS = 10000;
const SILENT_MS = 12000; // the stream is dead after so long: the server writes something at least every 5 s
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8000;

const held = {};
const painters = [];
const due = new Set();
let reading = null;
let timer = 0;
let tries = 0;
let heardAt = 0;
let lostAt = 0;

/** A section as it is now; empty before it came. "connection" is a section of our own. */
export const now = (name) => held[name] ?? {};

/** Call `paint` in the frame after one of the sections has changed. */
export const watch = (names, paint) => painters.push([names, paint]);

/** Draw everything anew: in another language, in another view. */
export const repaint = () => plan(painters);

function plan(wanted) {
	if (!due.size) requestAnimationFrame(paintAll);
	for (const [, paint] of wanted) due.add(paint);
}

function paintAll() {
	const paints = [...due];
	due.clear();
	for (const paint of paints) paint();
}

function put(name, data) {
	held[name] = { ...data, received: performance.now() };
	plan(painters.filter(([names]) => names.includes(name)));
}

class Refused extends Error {}

async function refusal(answer) {
	const { error, hint } = await answer.json().catch(() => ({}));
	return Object.assign(new Refused(error ?? `${answer.status} ${answer.statusText}`), { hint });
}

/** The JSON of an answer, null if it has none. */
export async function call(method, path, body) {
	let answer;
	try {
		const signal = AbortSignal.timeout(PATIENCE_MS);
		answer = await fetch(path, { method, signal, headers: body && { "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
		if (answer.ok) return answer.status === 204 ? null : await answer.json();
	} catch {
		throw new Refused(t("The assistant does not answer: see whether it still runs."));
	}
	throw await refusal(answer);
}

/** Show an error with its hint, until it is closed or another takes its place. */
export function alarm(error) {
	if (!(error instanceof Refused)) throw error;
	const close = el("button", { "aria-label": t("Close"), onclick: () => box.remove() }, "✕");
	const box = el("div.alert", el("p", el("strong", error.message), " ", error.hint), close);
	$("alerts").replaceChildren(box);
}

function take(section, text) {
	try {
		put(section, JSON.parse(text));
	} catch {
		// damaged on its way: the next version takes its place
	}
}

// By fetch and not by EventSource, which tells neither why it was refused nor that the server keeps it alive.
async function read(signal) {
	const answer = await fetch("/api/events", { signal, cache: "no-store" });
	if (!answer.ok) throw await refusal(answer);
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	let section = "";
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		heardAt = performance.now();
		tries = lostAt = 0;
		if (now("connection").state !== "open") put("connection", { state: "open" });
		const lines = (rest + value).split("\n");
		rest = lines.pop();
		for (const line of lines) {
			if (line.startsWith("event:")) section = line.slice(6).trim();
			else if (line.startsWith("data:")) take(section, line.slice(5));
		}
	}
}

/** Connect, or try again at once; from then on until the session has ended. */
export async function connect() {
	disconnect();
	const attempt = (reading = new AbortController());
	heardAt = performance.now();
	const error = await read(attempt.signal).catch((caught) => caught);
	if (reading !== attempt || now("session").ended) return;
	reading = null;
	lostAt ||= performance.now();
	put("connection", { state: "lost", since: lostAt, hint: error instanceof Refused && `${error.message} ${error.hint ?? ""}` });
	timer = setTimeout(connect, Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries++));
}

function disconnect() {
	clearTimeout(timer);
	const attempt = reading;
	reading = null;
	attempt?.abort();
}

addEventListener("online", connect);
document.addEventListener("visibilitychange", () => !document.hidden && lostAt && connect());
setInterval(() => reading && performance.now() - heardAt > SILENT_MS && reading.abort(), 1000);
