// Before anything is drawn, so that the page does not flash in the other theme; modules run later.
try {
	if (localStorage.theme) document.documentElement.dataset.theme = localStorage.theme;
} catch {
	// storage is forbidden: the theme of the system
}
