// The timeline of a session, played again: words at their times, at any speed, from anywhere.

import { drawing, el, icon, say } from "./dom.js";
import { clock, t } from "./words.js";

const SPEEDS = [1, 2, 4, 8];
const LEAST_S = 0.6;
const LEAD_S = 0.5;

const wordsOf = ({ text, length }) => text ?? t("[{length} characters]", { length: length ?? "?" });

/** What was said and what was told, in order of time. */
function timeline({ utterances, turns }) {
	const said = utterances.map((each) => [each, each.start_s, each.end_s, each.speaker]);
	const theses = turns.flatMap((turn) => turn.theses).filter(({ start_s }) => start_s !== null);
	const told = theses.map((each) => [each, each.start_s, each.start_s + each.heard_s, "in your ear"]);
	return [...said, ...told].map(([each, at, end, who]) => ({ at, end: Math.max(end, at + LEAST_S), who: t(who), told: !each.speaker, text: wordsOf(each) })).sort((a, b) => a.at - b.at);
}

/** Both lanes, a path each however much was said. */
function lanes(lines, length) {
	const bars = (top, wanted) => lines.filter(wanted).map(({ at, end }) => `M${at} ${top}H${end + length / 500}v6H${at}z`).join("");
	const svg = drawing([bars(3, ({ told }) => !told), bars(11, ({ told }) => told)], `${length} 20`);
	svg.setAttribute("preserveAspectRatio", "none");
	return svg;
}

export function player(record) {
	const lines = timeline(record);
	if (!lines.length) return [el("p.soft", t("Nothing was heard."))];
	const length = Math.max(...lines.map(({ end }) => end));
	const [head, shown, play] = [el("i"), el("span.clock"), el("button.first", { onclick: () => turn(!playing) })];
	const seek = el("input", { type: "range", max: Math.ceil(length), step: 0.1, value: 0, "aria-label": t("Position"), oninput: () => show(Number(seek.value)) });
	const speed = el("select", { "aria-label": t("Speed") }, SPEEDS.map((each) => el("option", { value: each }, `${each}×`)));
	const skip = el("input", { type: "checkbox", checked: true });
	const rows = lines.map(({ at, who, text, told }) => el(told ? "button.told" : "button", { onclick: () => show(at) }, el("time", clock(at)), el("span", el("span.tag", who), text)));
	let at = 0;
	let last = 0;
	let playing = false;

	function show(moment) {
		at = Math.min(moment, length);
		head.style.left = `${(at / length) * 100}%`;
		seek.value = at;
		seek.setAttribute("aria-valuetext", clock(at));
		say(shown, `${clock(at)} / ${clock(length)}`);
		lines.forEach((line, index) => {
			const { classList } = rows[index];
			const was = classList.contains("now");
			classList.toggle("later", at > 0 && line.at > at);
			classList.toggle("now", at > 0 && line.at <= at && at < line.end);
			if (playing && !was && classList.contains("now")) rows[index].scrollIntoView({ block: "center" });
		});
	}

	function turn(on) {
		playing = on;
		last = performance.now();
		play.replaceChildren(icon(on ? "pause" : "play"), t(on ? "Pause" : "Play"));
		if (on && at >= length) at = 0;
		if (on) requestAnimationFrame(step);
	}

	function step(moment) {
		if (!playing || !play.isConnected) return;
		let to = at + (Math.max(0, moment - last) / 1000) * speed.value;
		last = moment;
		const next = lines.find(({ end }) => end > to);
		if (skip.checked && next) to = Math.max(to, next.at - LEAD_S);
		show(to);
		if (at < length) requestAnimationFrame(step);
		else turn(false);
	}

	show(0);
	turn(false);
	const controls = el("div.row", play, speed, el("label.check", skip, t("Skip silence")), seek, shown);
	return [el("div.card.player", controls, el("div.strip", lanes(lines, length), head)), el("ol.lines", rows.map((row) => el("li", row)))];
}
