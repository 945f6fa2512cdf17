// For whoever looks after it: levels, devices, the health of the streams, stage times, cost.

import { $, each, el, facts, lines, say } from "./dom.js";
import { alarm, call, now, repaint, watch } from "./server.js";
import { clock, language, money, number, t, unit } from "./words.js";

const SIDES = { input: "Input", output: "Output" };
const HEALTH = { running: "good", resting: "good", opening: "warn", recreating: "warn" };
let devices = {};
let streamed = "";

function paintLevels() {
	each(
		$("levels"),
		Object.keys(SIDES),
		(side) => side,
		() => el("div", el("p.row.apart", el("span"), el("span")), el("meter", { min: -60, high: -6, optimum: -30, max: 0 })),
		({ children: [{ children: [name, figure] }, meter] }, side) => {
			const dbfs = now("levels")[`${side}_dbfs`] ?? -120;
			say(name, t(SIDES[side]));
			say(figure, dbfs > -120 ? unit(dbfs, "dBFS") : t("silence"));
			meter.value = dbfs;
			meter.ariaLabel = `${name.textContent}: ${figure.textContent}`;
		},
	);
}

function paintCost() {
	const { turn, session, day, limit, state } = now("cost");
	facts($("cost"), [[t("This turn"), money(turn)], [t("This session"), money(session)], [t("Today"), money(day)], [t("Limit"), limit || t("none")], [t("State"), t(state)]]);
}

function paintStream(node, stream) {
	const health = HEALTH[stream.state] ?? "bad";
	const [heading, list] = node.children;
	const input = stream.direction === "input";
	node.className = `stream ${health}`;
	say(heading.firstChild, `${t(SIDES[stream.direction])} · ${stream.device}`);
	say(heading.lastChild, t(stream.state));
	heading.lastChild.className = `tag ${health}`;
	facts(list, [
		[t("Samplerate"), unit(stream.samplerate, "Hz")],
		[t("Latency"), unit(stream.latency_ms, "ms", 1)],
		[t("Callback, 50 / 99 %"), `${number(stream.callback_p50_us, 1)} / ${unit(stream.callback_p99_us, "µs", 1)}`],
		[t(input ? "Overruns" : "Underruns"), number(input ? stream.overruns : stream.underruns)],
		[t("Opened anew"), number(stream.recreates)],
		[t("Ring"), unit(stream.ring_fill_pct, "%")],
		[t("Realtime priority"), t({ true: "yes", false: "no" }[stream.realtime_priority] ?? "unknown")],
	]);
}

function paintStreams() {
	const { streams = [] } = now("engine");
	each($("streams"), streams, ({ direction }) => direction, () => el("section", el("h3", el("span"), el("span")), el("dl")), paintStream);
	const newest = streams.map(({ device, generation }) => device + generation).join();
	if (newest !== streamed && !$("view-engine").hidden) showEngine();
	streamed = newest;
}

async function move(direction, id) {
	try {
		await call("POST", "/api/devices", { direction, id });
		await showEngine();
	} catch (error) {
		alarm(error);
	}
}

function paintDevices() {
	for (const direction of Object.keys(SIDES)) {
		each(
			$(`${direction}s`),
			devices[`${direction}s`] ?? [],
			({ id }) => id,
			({ id }) => el("li", el("button", { onclick: () => move(direction, id) }, el("span"), el("span.tag.good"), el("span.tag"), el("small"))),
			({ firstChild: button }, device) => {
				button.ariaPressed = Boolean(device.current);
				const texts = [device.name, device.current && t("in use"), device.default && t("default"), device.advice];
				texts.forEach((text, index) => say(button.children[index], text || ""));
			},
		);
	}
}

/** Where the time of a turn went: a table whose middle column is drawn. */
function waterfall({ stages, total_ms: total }) {
	const first = Math.min(0, ...stages.map(({ start_ms }) => start_ms));
	const last = Math.max(first + 100, total ?? 0, ...stages.map(({ end_ms }) => end_ms));
	const percent = (ms) => `${((ms - first) / (last - first)) * 99}%`;
	const rows = stages.map(({ name, start_ms: start, end_ms: end }) => {
		const [bar, mark] = [el("i"), el("b", { hidden: total === null })];
		bar.style.left = percent(start);
		bar.style.width = percent(first + end - start);
		mark.style.left = percent(total ?? 0);
		return el("tr", el("th", { scope: "row" }, t(name)), el("td", el("div.track", bar, mark)), el("td", unit(end - start, "ms")));
	});
	return el("table", el("caption", total === null ? t("Nothing was heard.") : t("{time} to the first sound", { time: unit(total, "ms") })), el("tbody", rows));
}

function paintStages() {
	const turns = (now("turns").turns ?? []).filter(({ stages }) => stages.length).reverse();
	each(
		$("stages"),
		turns,
		({ generation }) => generation,
		(turn) => el("details", { open: turn === turns[0] }, el("summary")),
		(node, turn) => {
			const drawn = language + JSON.stringify(turn.stages);
			if (node.drawn === drawn) return;
			node.drawn = drawn;
			say(node.firstChild, turn.question);
			node.replaceChildren(node.firstChild, waterfall(turn));
		},
	);
}

function paintNotices() {
	const { notices = [], at_ms: at, received } = now("notices");
	const age = (from) => clock((at - from + performance.now() - received) / 1000);
	lines($("notices"), notices.toReversed().map(({ at_ms, text }) => `${t("{time} ago", { time: age(at_ms) })} · ${text}`));
	notices.toReversed().forEach(({ level }, index) => ($("notices").children[index].className = level));
}

/** Somebody looks: which devices there are is asked anew. */
export async function showEngine() {
	try {
		devices = await call("GET", "/api/devices");
	} catch (error) {
		alarm(error);
	}
	repaint();
}

export function startEngine() {
	watch(["levels"], paintLevels);
	watch(["cost"], paintCost);
	watch(["engine"], paintStreams);
	watch(["turns"], paintStages);
	watch(["notices"], paintNotices);
	watch([], paintDevices);
}
