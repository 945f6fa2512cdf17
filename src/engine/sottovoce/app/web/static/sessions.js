// Earlier sessions: found, played, taken away, deleted for good.

import { $, el, say } from "./dom.js";
import { player } from "./player.js";
import { alarm, call } from "./server.js";
import { clock, date, money, t } from "./words.js";

const AT_ONCE = 20;
const TYPING_MS = 250;
let asked = 0;
let timer = 0;
let last = null;
let open = null;

function item({ id, started, duration_s: length, title, turns, cost, snippets, running }) {
	const about = [date(started), running ? t("running now") : clock(length), t("turns: {turns}", { turns }), cost && money(cost)];
	const found = snippets.map((pieces) => el("p", pieces.map(({ text, hit }) => (hit ? el("mark", text) : text))));
	return el("li", el("a.card", { href: `#sessions/${id}` }, el("strong", title || t("No question")), el("p.soft", about.filter(Boolean).join(" · ")), found));
}

async function load(before) {
	const mine = ++asked;
	const wanted = new URLSearchParams({ query: $("query").value.trim(), limit: AT_ONCE, ...(before && { before }) });
	try {
		const { sessions } = await call("GET", `/api/sessions?${wanted}`);
		if (mine !== asked) return; // somebody has typed on
		if (!before) $("sessions").replaceChildren();
		$("sessions").append(...sessions.map(item));
		last = sessions.at(-1)?.id;
		$("more").hidden = sessions.length < AT_ONCE;
		say($("found"), t("Shown: {count}", { count: $("sessions").children.length }));
	} catch (error) {
		alarm(error);
	}
}

const titleOf = ({ id, started }) => t("Session {id}, {started}", { id, started: date(started) });

const link = (href, text, download) => el("a.button", { href, download, target: !download && "_blank" }, text);

function actions({ id, ended }) {
	const path = `/api/sessions/${id}`;
	const files = [["md", "Markdown"], ["json", "JSON"], ["srt", "SRT"]].map(([kind, name]) => link(`${path}/export.${kind}`, name, `session-${id}.${kind}`));
	const reports = ["Report", "Report without words"].map((name, redact) => link(`${path}/report.html?redact=${redact}`, t(name)));
	const ask = () => {
		say($("delete-what"), titleOf(open.session));
		$("delete").showModal();
	};
	return el("div.row", files, reports, el("button.danger", { disabled: !ended, onclick: ask }, t("Delete for good")));
}

async function remove() {
	$("delete").close();
	try {
		await call("DELETE", `/api/sessions/${open.session.id}`);
		location.hash = "#sessions";
	} catch (error) {
		alarm(error);
	}
}

function picture({ number, question }) {
	const src = `/api/sessions/${open.session.id}/turns/${number}.svg`;
	const name = `${number}. ${question.text ?? ""}`;
	return el("details", el("summary", name), el("img", { src, loading: "lazy", alt: name }));
}

function draw() {
	const { session, turns } = open;
	const title = el("h1", { tabindex: "-1" }, titleOf(session));
	const pictures = turns.filter(({ stages }) => stages.length).map(picture);
	$("session").replaceChildren(el("a.button", { href: "#sessions" }, t("All sessions")), title, actions(session), ...player(open), pictures.length ? el("section.card", el("h2", t("Stages")), pictures) : "");
	title.focus();
}

/** Show one session, or the list of them. */
export async function showSessions(id) {
	$("list").hidden = Boolean(id);
	$("session").hidden = !id;
	$("session").replaceChildren();
	if (!id) return load();
	try {
		open = await call("GET", `/api/sessions/${encodeURIComponent(id)}`);
		draw();
	} catch (error) {
		alarm(error);
		location.hash = "#sessions";
	}
}

export function startSessions() {
	$("query").addEventListener("input", () => {
		clearTimeout(timer);
		timer = setTimeout(load, TYPING_MS);
	});
	$("more").addEventListener("click", () => load(last));
	const [keep, yes] = $("delete").querySelectorAll("button");
	keep.addEventListener("click", () => $("delete").close());
	yes.addEventListener("click", remove);
}
