// Every setting with its explanation, to be read.

import { $, el, say } from "./dom.js";
import { alarm, call } from "./server.js";
import { t } from "./words.js";

let groups = [];

const written = (value) => ({ true: t("yes"), false: t("no"), null: t("not set"), "": t("not set") })[value] ?? String(value);

function setting({ name, value, default: usual, explanation, changed }) {
	const was = changed && el("span.tag.warn", t("default: {value}", { value: written(usual) }));
	return [el("dt.row", el("code", name), was, el("strong", written(value))), el("dd.soft", { lang: "en" }, explanation)];
}

function paint() {
	const wanted = $("wanted").value.trim().toLowerCase();
	const fits = (each) => (each.changed || !$("changed").checked) && [each.name, each.explanation, each.value].join().toLowerCase().includes(wanted);
	const found = groups.map(({ title, settings }) => [title, settings.filter(fits)]).filter(([, settings]) => settings.length);
	$("settings").replaceChildren(...found.map(([title, settings]) => el("section.card", el("h2", { lang: "en" }, title), el("dl", settings.flatMap(setting)))));
	say($("matches"), t("Shown: {count}", { count: found.flatMap(([, settings]) => settings).length }));
}

export async function showSettings() {
	try {
		({ groups } = await call("GET", "/api/settings"));
	} catch (error) {
		alarm(error);
	}
	paint();
}

export function startSettings() {
	for (const id of ["wanted", "changed"]) $(id).addEventListener("input", paint);
}
