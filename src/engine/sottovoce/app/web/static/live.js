// The wearer: whether it listens, what is heard, the theses, and what can be asked for by hand, by key, by typing.

import { $, each, el, facts, icon, lines, say } from "./dom.js";
import { alarm, call, connect, now, watch } from "./server.js";
import { clock, t } from "./words.js";

const LONG = 240;
const SIGNS = { Listening: "on", Muted: "muted" };

/** What can be asked for, its name, and its keys; the first three are the big ones. */
export const CONTROLS = [
	["previous", "Previous", "P", "ArrowLeft"],
	["pause", "Pause", "Space"],
	["next", "Next", "N", "ArrowRight"],
	["repeat", "Repeat", "R"],
	["stop", "Stop", "S"],
	["mute", "Mute", "M"],
	["quieter", "Quieter", "-"],
	["louder", "Louder", "+", "="],
];
const buttons = {};
let unfolded = null;
let began = {};
let told = null;

/** What the sign at the top says: whether it listens, as far as anybody can know. */
function sign() {
	const { ended, muted, listening } = now("session");
	if (ended) return "Ended";
	if (now("connection").state !== "open") return "Not connected";
	return muted ? "Muted" : listening ? "Listening" : "Not listening";
}

function paintSign() {
	const words = sign();
	$("sign").className = `pill row ${SIGNS[words] ?? ""}`;
	say($("sign-state"), t(words));
	document.title = `${words === "Listening" ? "● " : ""}${t(words)} · sottovoce`;
	document.body.classList.toggle("stale", words === "Not connected");
	const { input_dbfs: dbfs = -120 } = now("levels");
	$("hearing").style.transform = `scaleX(${words === "Listening" ? Math.min(1, Math.max(0, 1 + dbfs / 60)) : 0})`;
}

function paintBanner() {
	const [text, , retry] = $("banner").children;
	const { state, hint } = now("connection");
	const { ended } = now("session");
	const lost = !ended && state === "lost";
	$("banner").hidden = !ended && !lost;
	retry.hidden = !lost;
	say(text, ended ? t("The session has ended.") : lost ? hint || t("The connection is lost: this may be old. Trying again.") : "");
	paintTimes();
}

/** What goes on without a word from the server, by a clock that nobody sets. */
function paintTimes() {
	const { started, received, ended } = now("session");
	const { state, since } = now("connection");
	if (began.started !== started) began = { started, at: received - Math.max(0, Date.now() - Date.parse(started)) };
	say($("sign-time"), started && !ended ? clock((performance.now() - began.at) / 1000) : "");
	say($("banner").children[1], state === "lost" ? clock((performance.now() - since) / 1000) : "");
}

function paintHeard() {
	const { partial = "", speaker = "", provisional = [], notes = [] } = now("heard");
	say($("partial"), partial || t(now("session").muted ? "The microphone is muted." : "What is said appears here."));
	$("partial").classList.toggle("saying", Boolean(partial));
	$("partial").scrollTop = 1e6; // the newest words
	say($("speaker"), partial && t(speaker));
	const appears = $("provisional").hidden && provisional.length;
	$("provisional").hidden = !provisional.length;
	lines($("provisional").lastElementChild, provisional);
	lines($("notes"), notes.map(({ title, where }) => [title, where].filter(Boolean).join(" · ")));
	if (appears) follow();
}

/** Keep what sounds in view. */
const follow = () => $("theses").querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });

function makeThesis() {
	return el("li", el("span.place", { "aria-hidden": "true" }), el("div", el("p"), el("p.row.soft", el("span.tag"), el("span"))));
}

function paintThesis(node, { index, text, state, source }) {
	const [place, { children: [words, under] }] = node.children;
	const speaking = state === "speaking";
	say(words, text);
	say(under.firstChild, state === "waiting" ? "" : t(state));
	say(under.lastChild, source);
	if (node.dataset.state === state) return;
	node.dataset.state = state;
	node.ariaCurrent = speaking;
	place.replaceChildren(...(speaking ? [el("i"), el("i"), el("i")] : [state === "heard" ? icon(state) : index]));
	if (speaking) follow();
}

function paintAnswer() {
	const turns = now("turns").turns ?? [];
	const newest = turns.at(-1);
	const turn = turns.findLast(({ state }) => state === "speaking") ?? newest;
	const next = newest !== turn && newest.state === "thinking" ? newest : null;
	$("next-question").hidden = !next;
	if (next) say($("next-question"), t("Next question: {question}", next));
	const { generation, question, state = "", theses = [], message } = turn ?? {};
	const long = question?.length > LONG;
	const folded = unfolded !== generation;
	say($("question"), question || t("No question"));
	$("question").className = long && folded ? "clipped" : "";
	$("unfold").hidden = !long;
	$("unfold").onclick = () => {
		unfolded = folded ? generation : null;
		paintAnswer();
	};
	say($("unfold"), t(folded ? "Show all" : "Show less"));
	say($("state"), t(state));
	$("state").className = `tag ${state}`;
	$("theses").classList.toggle("held", Boolean(now("session").paused));
	each($("theses"), theses, ({ index }) => `${generation}.${index}`, makeThesis, paintThesis);
	say($("message"), message || (state === "nothing" ? t("Nothing in your notes answers it.") : ""));
	announce(generation, theses);
	paintEarlier(turns.filter((each) => each !== turn && each !== next).reverse());
}

/** A thesis is told to a screen reader once, when it is there; what becomes of it is not. */
function announce(generation, theses) {
	if (told !== generation) $("announce").replaceChildren();
	told = generation;
	for (const { index, text } of theses.slice($("announce").children.length)) $("announce").append(el("p", `${index}. ${text}`));
}

function paintEarlier(turns) {
	$("earlier").parentNode.hidden = !turns.length;
	each(
		$("earlier"),
		turns,
		({ generation }) => generation,
		() => el("details", el("summary"), el("ol")),
		(node, { question, theses, message, state }) => {
			say(node.firstChild, question || t("No question"));
			lines(node.lastChild, theses.length ? theses.map(({ text }) => text) : [message || t(state)]);
		},
	);
}

function paintSession() {
	const { leaves_machine: away = [], gain_db: gain, started, ...session } = now("session");
	if (!started) return;
	say($("privacy"), away.length ? t("Sent to services: {names}", { names: away.join(", ") }) : t("Nothing leaves this machine."));
	const parts = ["Recogniser", "Generator", "Voice", "Language"].map((name) => [t(name), session[name.toLowerCase()]]);
	facts($("facts"), [...parts, [t("Next thesis"), t(session.advance)], [t("Loudness"), `${gain > 0 ? "+" : ""}${gain} ${t("dB")}`]]);
}

/** Ask for something; true if it was taken, else its error is shown. */
async function control(action, text) {
	try {
		await call("POST", "/api/control", { action, text });
		return true;
	} catch (error) {
		return alarm(error);
	}
}

function makeControl([action, , ...keys]) {
	buttons[action] = el("button", { "data-do": action, "aria-keyshortcuts": keys.join(" "), onclick: () => control(action) }, icon(action), el("span"), el("kbd", { "aria-hidden": "true" }));
	return buttons[action];
}

function paintControls() {
	const { paused, muted, ended, controls } = now("session");
	const changed = { pause: paused && ["play", "Go on"], mute: muted && ["mic", "Unmute"] };
	for (const [action, usual, key] of CONTROLS) {
		const [mark, name] = changed[action] || [action, usual];
		const button = buttons[action];
		say(button.children[1], t(name));
		say(button.lastChild, t(key));
		button.firstChild.replaceWith(icon(mark));
		button.classList.toggle("on", Boolean(changed[action]));
		button.disabled = ended || controls?.includes(action) === false;
	}
	say($("ask-open").lastChild, t("Ask"));
	$("ask-text").disabled = $("ask").lastElementChild.disabled = ended;
}

/** Put the cursor where a question is typed; a narrow screen shows the place only then. */
export function typeQuestion(open = true) {
	$("ask").classList.toggle("open", open);
	$("ask-open").ariaExpanded = open;
	$(open ? "ask-text" : "ask-open").focus({ preventScroll: true });
}

async function ask() {
	const text = $("ask-text").value.trim();
	if (!text || !(await control("ask", text))) return;
	$("ask-text").value = "";
	typeQuestion(false);
}

/** Carry out what a key stands for; false if it stands for nothing. */
export function press(key) {
	const found = CONTROLS.find(([, , ...keys]) => keys.includes(key));
	if (found) buttons[found[0]].click();
	return Boolean(found);
}

export function startLive() {
	const [big, small] = $("buttons").children;
	const type = el("button.narrow", { id: "ask-open", "aria-controls": "ask", onclick: () => typeQuestion(!$("ask").classList.contains("open")) }, icon("ask"), el("span"));
	big.append(...CONTROLS.slice(0, 3).map(makeControl));
	small.append(...CONTROLS.slice(3).map(makeControl), type);
	watch(["session", "connection", "levels"], paintSign);
	watch(["session", "connection"], paintBanner);
	watch(["heard", "session"], paintHeard);
	watch(["turns", "session"], paintAnswer);
	watch(["session"], paintSession);
	watch(["session"], paintControls);
	setInterval(paintTimes, 1000);
	$("banner").lastElementChild.addEventListener("click", connect);
	$("ask").addEventListener("submit", ask);
	$("ask-text").addEventListener("keydown", (event) => {
		if (event.key === "Escape") {
			event.target.blur();
			typeQuestion(false);
		}
		if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
		event.preventDefault();
		ask();
	});
}
