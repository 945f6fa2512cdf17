// Small helpers. Every word that comes from outside becomes a text node: what was said is data, never markup.

const SPACE = "http://www.w3.org/2000/svg";
const ICONS = {
	previous: "M19 6v12l-9-6zM6 6v12",
	next: "M5 6v12l9-6zM18 6v12",
	pause: "M8 6v12M16 6v12",
	play: "M8 5v14l11-7z",
	repeat: "M4 12a8 8 0 1 0 3-6.2M7 2v4h4",
	stop: "M7 7h10v10H7z",
	mic: "M9 6a3 3 0 0 1 6 0v5a3 3 0 0 1-6 0zM5 11a7 7 0 0 0 14 0M12 18v4",
	mute: "M15 9V6a3 3 0 0 0-6 0v5a3 3 0 0 0 5 2M5 11a7 7 0 0 0 11 6M19 11v2M12 18v4M3 3l18 18",
	quieter: "M4 9v6h4l5 4V5L8 9zM17 12h5",
	louder: "M4 9v6h4l5 4V5L8 9zM17 12h6M20 9v6",
	ask: "M4 5h16v11H10l-5 4v-4H4zM8 9h8M8 12h5",
	heard: "M5 13l4 4L19 7",
};

export const $ = (id) => document.getElementById(id);

/** A new element, as `el("p.soft", { title: "..." }, child, "text")`; attributes that are false or unknown are left out. */
export function el(name, ...children) {
	const [tag, ...classes] = name.split(".");
	const node = document.createElement(tag);
	if (classes.length) node.className = classes.join(" ");
	const attributes = children[0]?.constructor === Object ? children.shift() : {};
	for (const [key, value] of Object.entries(attributes)) {
		if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
		else if (value || value === 0) node.setAttribute(key, value === true ? "" : value);
	}
	node.append(...children.flat().filter((child) => child));
	return node;
}

/** A drawing of paths in a field of 24, or of the size given. */
export function drawing(paths, size = "24 24") {
	const svg = document.createElementNS(SPACE, "svg");
	svg.setAttribute("viewBox", `0 0 ${size}`);
	svg.setAttribute("aria-hidden", "true");
	for (const d of paths) svg.appendChild(document.createElementNS(SPACE, "path")).setAttribute("d", d);
	return svg;
}

export const icon = (name) => drawing([ICONS[name]]);

/** Set a text, if it is another one: what does not change is not announced, nor laid out again. */
export function say(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

/** Let the children of `parent` be those of `items`, and keep the elements of those that were there. */
export function each(parent, items, key, make, update) {
	const known = (parent.known ??= new Map());
	const wanted = new Set(items.map(key));
	for (const [id, node] of known) {
		if (wanted.has(id)) continue;
		node.remove();
		known.delete(id);
	}
	items.forEach((item, index) => {
		const id = key(item, index);
		if (!known.has(id)) known.set(id, make(item));
		const node = known.get(id);
		if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
		update(node, item);
	});
}

/** Lines of plain text. */
export const lines = (parent, texts) => each(parent, texts, (text, index) => index, () => el("li"), say);

/** Names and values; those without a value are left out. */
export function facts(list, rows) {
	const cells = rows.filter(([, value]) => value).flatMap(([name, value]) => [["dt", name, name], ["dd", name, value]]);
	each(list, cells, ([tag, name]) => tag + name, ([tag]) => el(tag), (node, [, , text]) => say(node, text));
}

/** What the browser remembers, if it may. */
export let memory = {};
try {
	memory = localStorage;
} catch {
	// it is forbidden: until the page is loaded again
}
