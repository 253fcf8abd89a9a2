// Texts in the reader's language, from the catalogue the page loads before its modules.
// Without one (a lost request) the English of the source is shown rather than nothing.

const catalogue = globalThis.django ?? {};

export const gettext = catalogue.gettext ?? ((text) => text);
export const ngettext = catalogue.ngettext ?? ((one, many, n) => (n === 1 ? one : many));

/** Fills `%(name)s` in `text` from `values`. */
export const interpolate = (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);
