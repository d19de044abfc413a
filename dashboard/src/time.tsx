// Times of the node (microseconds since 1970), told as people do.
import { State, useValue } from "./state";
import { language, t } from "./strings";

// One clock for all that is told: a list may have thousands of them.
const tick = new State(0);
setInterval(() => tick.value++, 10000);

const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const absolute = new Intl.DateTimeFormat(language, {
    dateStyle: "medium", timeStyle: "medium",
});
const steps: [number, Intl.RelativeTimeFormatUnit][] = [
    [60, "second"], [3600, "minute"], [86400, "hour"], [2592000, "day"],
    [31536000, "month"], [Infinity, "year"],
];

export function ago(us: number, now = Date.now()): string {
    const s = Math.round(us / 1e6 - now / 1000);
    if (Math.abs(s) < 5)
        return t.justNow;
    let unit = 1;
    for (const [limit, name] of steps) {
        if (Math.abs(s) < limit)
            return relative.format(Math.round(s / unit), name);
        unit = limit;
    }
    return "";
}

export function fullTime(us: number): string {
    return absolute.format(us / 1000);
}

export function Time({ us }: { us: number | null | undefined }) {
    useValue(tick);
    if (!us)
        return <span>{t.unknown}</span>;
    return (
        <time dateTime={new Date(us / 1000).toISOString()}
            title={fullTime(us)}>{ago(us)}</time>
    );
}

export function span(us: number | null | undefined): string {
    if (us === null || us === undefined)
        return "–";
    const size = Math.abs(us);
    const sign = us < 0 ? "−" : "";
    if (size < 1000)
        return `${sign}${Math.round(size)} µs`;
    if (size < 1e6)
        return `${sign}${(size / 1000).toLocaleString(language, {
            maximumFractionDigits: size < 1e4 ? 2 : size < 1e5 ? 1 : 0,
        })} ms`;
    if (size < 60e6)
        return `${sign}${(size / 1e6).toLocaleString(language, {
            maximumFractionDigits: 1,
        })} s`;
    const s = Math.round(size / 1e6);
    return s < 3600
        ? `${sign}${Math.floor(s / 60)} min ${s % 60} s`
        : `${sign}${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
}

export function bytes(n: number): string {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let i = 0;
    while (n >= 1024 && i < units.length - 1) {
        n /= 1024;
        i++;
    }
    return `${n.toLocaleString(language, {
        maximumFractionDigits: i && n < 100 ? 1 : 0,
    })} ${units[i]}`;
}
