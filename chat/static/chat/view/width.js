// Whether there is room for panes side by side; the style sheets say the same.

export const narrow = matchMedia("(max-width: 1079px)");
