// Light or dark: as the system has it, unless it was chosen here.
import { State } from "./state";

export type Theme = "system" | "light" | "dark";

const KEY = "syncline-theme";
export const themes: Theme[] = ["system", "light", "dark"];

function kept(): Theme {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : "system";
}

export const theme = new State<Theme>(kept());

function show(): void {
    if (theme.value === "system")
        delete document.documentElement.dataset.theme;
    else
        document.documentElement.dataset.theme = theme.value;
}

theme.subscribe(() => {
    localStorage.setItem(KEY, theme.value);
    show();
});
show();
