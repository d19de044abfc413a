// Which language is spoken: chosen here, else what the browser asks for.
import { en } from "./en";
import type { Strings } from "./en";
import { es } from "./es";

const KEY = "syncline-language";
const languages: Record<string, Strings> = { en, es };

export const languageNames: Record<string, string> = {
    en: "English", es: "Español",
};

function wanted(): string {
    const chosen = localStorage.getItem(KEY);
    for (const tag of [chosen ?? "", ...navigator.languages]) {
        const base = tag.split("-")[0]!.toLowerCase();
        if (base in languages)
            return base;
    }
    return "en";
}

export const language = wanted();
export const t: Strings = languages[language]!;

export function setLanguage(tag: string): void {
    localStorage.setItem(KEY, tag);
    location.reload();
}
