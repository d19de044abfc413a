// The picture of the mesh: this device, those that it knows, and its links.
import { forceCenter, forceCollide, forceLink, forceManyBody, forceSimulation,
    forceX, forceY } from "d3-force";
import type { Simulation, SimulationLinkDatum, SimulationNodeDatum }
    from "d3-force";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { t } from "../strings";
import { span } from "../time";

export interface GraphNode {
    id: string;
    name: string;
    self: boolean;
    state: string;
    behind: boolean;
    lag: number;
    rtt: number | null;
    offset: number | null; // of its clock; what is less than a second is none
}

interface Body extends SimulationNodeDatum {
    id: string;
}

type Link = SimulationLinkDatum<Body>;

const LINK = 170;
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Where each stands; known ones go on from where they stood.
function useLayout(nodes: GraphNode[], width: number, height: number):
    Map<string, Body> {
    const bodies = useRef(new Map<string, Body>());
    const running = useRef<Simulation<Body, Link> | null>(null);
    const [, draw] = useState(0);
    const ids = nodes.map(n => n.id).join();

    useEffect(() => {
        const before = bodies.current;
        const made = new Map<string, Body>();
        nodes.forEach((n, i) => {
            const angle = 2 * Math.PI * i / Math.max(nodes.length - 1, 1);
            made.set(n.id, before.get(n.id) ?? (n.self
                ? { id: n.id, x: width / 2, y: height / 2 }
                : { id: n.id, x: width / 2 + LINK * Math.cos(angle),
                    y: height / 2 + LINK * Math.sin(angle) }));
        });
        bodies.current = made;
        const self = nodes.find(n => n.self);
        const links: Link[] = nodes.filter(n => !n.self && self).map(n => ({
            source: self!.id, target: n.id }));
        const sim = forceSimulation<Body>([...made.values()])
            .force("link", forceLink<Body, Link>(links).id(b => b.id)
                .distance(Math.min(LINK, width / 3)).strength(0.7))
            .force("charge", forceManyBody().strength(-620))
            .force("collide", forceCollide(52))
            .force("x", forceX(width / 2).strength(0.03))
            .force("y", forceY(height / 2).strength(0.12))
            .force("center", forceCenter(width / 2, height / 2));
        running.current?.stop();
        running.current = sim;
        if (still.matches) {
            sim.stop();
            sim.tick(200);
            draw(n => n + 1);
        } else {
            sim.on("tick", () => draw(n => n + 1));
        }
        return () => {
            sim.stop();
        };
    }, [ids, width, height]);
    return bodies.current;
}

function isOff(n: GraphNode): boolean {
    return n.offset !== null && Math.abs(n.offset) >= 1e6;
}

function note(n: GraphNode): string {
    if (n.self)
        return t.mesh.self;
    if (n.state !== "connected")
        return t.mesh.state[n.state] ?? n.state;
    if (isOff(n))
        return t.mesh.clockOff(n.offset! > 0 ? t.mesh.ahead(span(n.offset))
            : t.mesh.late(span(-n.offset!)));
    return n.behind ? t.units.changes(n.lag) : t.mesh.upToDate;
}

export function Graph({ nodes }: { nodes: GraphNode[] }) {
    const box = useRef<SVGSVGElement>(null);
    const [width, setWidth] = useState(0);
    // Before it is painted: nothing is to move afterwards.
    useLayoutEffect(() => {
        const at = box.current!;
        const resized = new ResizeObserver(() => setWidth(at.clientWidth));
        resized.observe(at);
        setWidth(at.clientWidth);
        return () => resized.disconnect();
    }, []);
    const height = nodes.length < 4 ? 220 : nodes.length < 8 ? 340 : 440;
    const at = useLayout(nodes, width || 600, height);
    const self = nodes.find(n => n.self);
    const letters = width < 480 ? 14 : 22, edge = letters * 4 + 4;
    const place = (id: string) => {
        const b = at.get(id);
        return {
            x: Math.min(Math.max(b?.x ?? 0, edge), Math.max(width - edge, edge)),
            y: Math.min(Math.max(b?.y ?? 0, 34), height - 52),
        };
    };
    return (
        <svg class="graph" ref={box} role="img" aria-label={t.mesh.graph}
            height={height}
            viewBox={`0 0 ${width || 600} ${height}`}>
            {self && width ? nodes.filter(n => !n.self).map(n => {
                const a = place(self.id), b = place(n.id);
                return (
                    <g key={n.id} class={"link " + n.state}>
                        <line x1={a.x} y1={a.y} x2={b.x} y2={b.y} />
                        {n.rtt === null ? null : (
                            <text class="link-label" x={(a.x + b.x) / 2}
                                y={(a.y + b.y) / 2 - 6}>{span(n.rtt)}</text>
                        )}
                    </g>
                );
            }) : null}
            {width ? nodes.map(n => {
                const p = place(n.id);
                return (
                    <g key={n.id} class={"node " + (n.self ? "self" : n.state)
                        + (n.state === "connected" && (n.behind || isOff(n))
                            ? " behind" : "")}
                    transform={`translate(${p.x} ${p.y})`}>
                        <circle r={n.self ? 24 : 20} />
                        <path class="node-mark" d="M-8-6h16v10h-16zM-4 8h8" />
                        <text class="node-name" y={n.self ? 42 : 38}>
                            {n.name.length > letters
                                ? n.name.slice(0, letters - 1) + "…" : n.name}</text>
                        <text class="node-note" y={n.self ? 57 : 53}>
                            {note(n)}</text>
                    </g>
                );
            }) : null}
        </svg>
    );
}
