// Line drawings, 20 units square, in the colour of the text.
const shapes = {
    items: "M4 5h12M4 10h12M4 15h8",
    conflicts: "M6 3v5a4 4 0 0 0 4 4 4 4 0 0 1 4 4v1M14 3v5a4 4 0 0 1-1.2 2.8M6 17v-1a4 4 0 0 1 1.2-2.8",
    mesh: "M10 6.5v2.5M6 13l2.4-2.2M14 13l-2.4-2.2M10 6.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM4.500 17a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM15.500 17a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM10 12a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3z",
    devices: "M3 4h14v9H3zM7 17h6M10 13v4",
    errors: "M10 3l8 14H2zM10 8v4M10 14.500v.5",
    settings: "M4 6h7M15 6h1M4 14h1M9 14h7M13 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM7 16a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
    audit: "M5 2.500h7l3 3V17.500H5zM8 9h4M8 12h4M8 6h2",
    menu: "M3 5h14M3 10h14M3 15h14",
    close: "M5 5l10 10M15 5L5 15",
    search: "M9 14A5 5 0 1 0 9 4a5 5 0 0 0 0 10zM13 13l4 4",
    plus: "M10 4v12M4 10h12",
    folder: "M2.500 5h5l2 2h8v8.500h-15z",
    file: "M5 2.500h7l3 3V17.500H5z",
    back: "M12 4l-6 6 6 6",
    right: "M8 4l6 6-6 6",
    copy: "M7 7h9v10H7zM4 13V3h9",
    check: "M4 10.500l4 4 8-9",
    sun: "M10 13.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM10 1.500v2M10 16.500v2M1.500 10h2M16.500 10h2M4 4l1.400 1.400M14.600 14.600L16 16M4 16l1.400-1.400M14.600 5.400L16 4",
    moon: "M16.500 12A7 7 0 0 1 8 3.500 7 7 0 1 0 16.500 12z",
    system: "M3 4h14v9H3zM7 17h6",
    out: "M8 4H4v12h4M12 6l4 4-4 4M16 10H8",
    history: "M3.500 10a6.500 6.500 0 1 0 2-4.700L3.500 7M3.500 3v4h4M10 6.500V10l2.500 2",
    trash: "M4 5.500h12M8 5.500V3.500h4v2M5.500 5.500l.8 11h7.400l.8-11",
    star: "M10 3l2.100 4.600 4.900.6-3.600 3.400.9 4.900-4.300-2.400-4.300 2.400.9-4.900L3 8.200l4.900-.6z",
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name }: { name: IconName }) {
    return (
        <svg class="icon" viewBox="0 0 20 20" aria-hidden="true"
            focusable="false">
            <path d={shapes[name]} />
        </svg>
    );
}
