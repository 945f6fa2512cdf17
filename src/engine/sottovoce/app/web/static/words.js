// The language of the page. English words are the keys: what the document and the modules say, and the server's names.

import { memory } from "./dom.js";
import { english, russian } from "./dictionary.js";

export const names = { en: "English", ru: "Русский" };
const WORDS = { en: english, ru: russian };
const marked = [];

const preferred = () => [memory.language, ...navigator.languages.map((name) => name.slice(0, 2))].find((name) => name in names) ?? "en";

export let language = preferred();

/** The words of the language for English ones, with `{name}` filled in. */
export function t(text, values = {}) {
	return (WORDS[language][text] ?? text ?? "").replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Write the document anew, in another language if one is named. */
export function translate(name) {
	if (name) memory.language = name;
	language = preferred();
	document.documentElement.lang = language;
	for (const [set, text] of marked) set(t(text));
}

/** Remember what the document says in English, before anything else is written into it. */
export function markDocument() {
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const node = walk.currentNode;
		const text = node.data.trim();
		const [before, after] = node.data.split(text);
		if (text in russian) marked.push([(words) => (node.data = before + words + after), text]);
	}
	for (const name of ["aria-label", "placeholder"]) {
		for (const node of document.querySelectorAll(`[${name}]`)) marked.push([(words) => node.setAttribute(name, words), node.getAttribute(name)]);
	}
}

export const number = (value, digits = 0) => (Number.isFinite(value) ? value.toLocaleString(language, { maximumFractionDigits: digits }) : "–");

export const unit = (value, name, digits) => `${number(value, digits)} ${t(name)}`;

/** Seconds as a clock shows them. */
export function clock(seconds) {
	const whole = Math.max(0, Math.floor(seconds));
	const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
	return [...(whole < 3600 ? [] : [Math.floor(whole / 3600)]), ...parts].join(":");
}

export const date = (text) => new Date(text).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });

/** Dollars; null if nobody knows the price. */
export const money = (value) => (Number.isFinite(value) ? value.toLocaleString(language, { style: "currency", currency: "USD", maximumFractionDigits: value && value < 0.01 ? 4 : 2 }) : "–");
