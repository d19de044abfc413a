// What a mesh of a house might hold, so that pages have something to show.
export async function fill(node) {
    const items = {
        "lamp/hall": { on: true, level: 3, colour: "warm", scenes: ["evening",
            "night"] },
        "lamp/kitchen": { on: false, level: 0, colour: "cold" },
        "lamp/garden/path": { on: true, until: "23:30" },
        "heating/living-room": { target: 21.5, mode: "auto", schedule: {
            weekdays: ["06:30", "22:00"], weekend: ["08:00", "23:30"] } },
        "heating/bath": { target: 23, mode: "manual" },
        "door": { locked: true, battery: 87 },
        "serial": { id: 1 },
        "a-key-that-is-much-longer-than-anybody-would-type-by-hand-but-that-a-program-made/with/parts":
            { text: "and a value that is longer than a line of a narrow screen would ever be, so that it has to be cut" },
    };
    for (const [key, value] of Object.entries(items))
        await node.put(key, value);
    await node.do("put", "default", "serial", "{\"id\":9007199254740993}");
    await node.put("lamp/hall", { on: true, level: 5, colour: "warm",
        scenes: ["evening", "night"] });
    await node.put("lamp/hall", { on: true, level: 4, colour: "soft",
        scenes: ["evening", "night", "film"] });
}
