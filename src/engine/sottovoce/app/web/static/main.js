// The frame of the page: views, language, theme, keys.

import { $, el, memory } from "./dom.js";
import { showEngine, startEngine } from "./engine.js";
import { CONTROLS, press, startLive, typeQuestion } from "./live.js";
import { connect, repaint } from "./server.js";
import { showSessions, startSessions } from "./sessions.js";
import { showSettings, startSettings } from "./settings.js";
import { language, markDocument, names, t, translate } from "./words.js";

const VIEWS = { live: repaint, engine: showEngine, sessions: showSessions, settings: showSettings };
const THEMES = { auto: "As the system", light: "Light", dark: "Dark" };
const { dataset } = document.documentElement;
const [keyList, single, closeKeys] = $("shortcuts").querySelectorAll("dl, input, button");

function show(event) {
	const [name, id] = location.hash.slice(1).split("/");
	const view = name in VIEWS ? name : "live";
	for (const each of Object.keys(VIEWS)) $(`view-${each}`).hidden = each !== view;
	for (const anchor of document.querySelectorAll("nav a")) anchor.ariaCurrent = anchor.hash === `#${view}` ? "page" : null;
	VIEWS[view](id);
	if (!event) return;
	scrollTo(0, 0);
	$(`view-${view}`).querySelector("h1").focus();
}

const theme = () => (dataset.theme in THEMES ? dataset.theme : "auto");

/** Everything in the language and the theme that are chosen. */
function write(chosen) {
	translate(chosen);
	const other = Object.keys(names).find((name) => name !== language);
	$("language").textContent = other.toUpperCase();
	$("language").lang = other;
	$("language").ariaLabel = names[other];
	$("theme").ariaLabel = $("theme").title = `${t("Theme")}: ${t(THEMES[theme()])}`;
	const keys = [...CONTROLS.map(([, text, key]) => [key, text]), ["A", "Type a question"], ["1–4", "Views"], ["?", "Keyboard"]];
	keyList.replaceChildren(...keys.flatMap(([key, text]) => [el("dt", el("kbd", t(key))), el("dd", t(text))]));
	show();
	repaint();
}

function setTheme(name) {
	dataset.theme = name;
	memory.theme = name;
	write();
}

/** Single keys, where they mean nothing else, and for whoever wants them. */
function onKey(event) {
	const { code, target } = event;
	if (event.ctrlKey || event.altKey || event.metaKey || memory.keys || target.closest("input, textarea, select, dialog")) return;
	let key = event.key === " " ? "Space" : event.key.length > 1 ? event.key : event.key.toUpperCase();
	if (key > "~" && code.startsWith("Key")) key = code.slice(3); // another alphabet
	if (key === "Space" && target.closest("button, a, summary")) return;
	if (key === "?") $("shortcuts").showModal();
	else if (Object.keys(VIEWS)[key - 1]) location.hash = Object.keys(VIEWS)[key - 1];
	else if ($("view-live").hidden) return;
	else if (key === "A") typeQuestion();
	else if (!press(key)) return;
	event.preventDefault();
}

markDocument();
$("language").addEventListener("click", () => write($("language").lang));
$("theme").addEventListener("click", () => setTheme({ auto: "light", light: "dark", dark: "auto" }[theme()]));
$("keys").addEventListener("click", () => $("shortcuts").showModal());
closeKeys.addEventListener("click", () => $("shortcuts").close());
single.checked = !memory.keys;
single.addEventListener("change", () => (memory.keys = single.checked ? "" : "off"));
for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", onKey);
addEventListener("hashchange", show);

for (const start of [startLive, startEngine, startSessions, startSettings]) start();
write();
connect();
