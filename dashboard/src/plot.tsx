// A line plot of the last minutes.
import uPlot from "uplot";
import { useEffect, useRef } from "preact/hooks";

import { useValue } from "./state";
import { language, t } from "./strings";
import { theme } from "./theme";

export interface Series {
    label: string;
    values: (number | null)[];
}

const HEIGHT = 180;
const dark = matchMedia("(prefers-color-scheme: dark)");

function colour(name: string): string {
    return getComputedStyle(document.documentElement).getPropertyValue(name)
        .trim();
}

function options(width: number, n: number, least: number,
    format: (v: number) => string): uPlot.Options {
    const axis = { stroke: colour("--muted"), font: "11px sans-serif",
        grid: { stroke: colour("--line"), width: 1 },
        ticks: { show: false } };
    return {
        width, height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, points: { size: 6 } },
        padding: [12, 14, 0, 0],
        scales: { y: { range: (_u, _min, max) => [0, Math.max(max * 1.1, least)] } },
        axes: [
            { ...axis, values: (_u, list) => list.map(s =>
                new Date(s * 1000).toLocaleTimeString(language, {
                    hour: "2-digit", minute: "2-digit", second: "2-digit",
                    hour12: false })),
            space: 80, size: 28 },
            { ...axis, values: (_u, list) => list.map(format), size: 66 },
        ],
        series: [{}, ...Array.from({ length: n }, (_, i) => ({
            stroke: colour(`--series-${i}`), width: 2, spanGaps: true,
            points: { show: false },
        }))],
    };
}

function last(values: (number | null)[]): number | null {
    for (let i = values.length - 1; i >= 0; i--)
        if (values[i] !== null)
            return values[i]!;
    return null;
}

// times: seconds since 1970; least: so much is at the top, if there is not more
export function Plot({ title, hint, times, series, least, format }: {
    title: string; hint: string; times: number[]; series: Series[];
    least: number; format: (v: number) => string;
}) {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | null>(null);
    const now = useValue(theme);
    const values = series.map(s => last(s.values));
    const drawn = times.length > 1 && values.some(v => v !== null);
    const data: uPlot.AlignedData = [times, ...series.map(s => s.values)];

    useEffect(() => {
        const at = box.current;
        if (!at || !drawn)
            return;
        const make = () => {
            plot.current?.destroy();
            plot.current = new uPlot(options(at.clientWidth, series.length,
                least, format), data, at);
        };
        make();
        const resized = new ResizeObserver(() => plot.current?.setSize({
            width: at.clientWidth, height: HEIGHT }));
        resized.observe(at);
        dark.addEventListener("change", make);
        return () => {
            resized.disconnect();
            dark.removeEventListener("change", make);
            plot.current?.destroy();
            plot.current = null;
        };
    }, [now, drawn, series.length]);

    useEffect(() => {
        plot.current?.setData(data);
    }, [times]);

    return (
        <section class="panel" aria-label={title}>
            <div class="plot-head">
                <div>
                    <h2>{title}</h2>
                    <p class="muted small-text">{hint}</p>
                </div>
                <div class="plot-legend">
                    {series.map((s, i) => (
                        <span key={s.label}>
                            <i class={`series-${i}`} aria-hidden="true" />
                            {s.label}{" "}
                            <b>{values[i] === null ? "–" : format(values[i]!)}
                            </b>
                        </span>
                    ))}
                </div>
            </div>
            <div class="plot">
                {drawn ? <div ref={box} aria-hidden="true" />
                    : <p class="plot-empty">{times.length > 1 ? t.mesh.noneCame
                        : t.mesh.gathering}</p>}
            </div>
        </section>
    );
}
