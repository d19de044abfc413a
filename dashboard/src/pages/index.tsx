// Every page of the dashboard: its name in the address, its icon, what draws
// it. A new page is a line here, a file beside this one and a word in strings.
import type { ComponentChild } from "preact";

import type { IconName } from "../icons";
import type { t } from "../strings";
import { Audit } from "./audit";
import { Conflicts } from "./conflicts";
import { Devices } from "./devices";
import { Errors } from "./errors";
import { Files } from "./files";
import { Items } from "./items";
import { Mesh } from "./mesh";
import { Settings } from "./settings";

export interface PageRow {
    name: keyof typeof t.pages;
    icon: IconName;
    // parts: of the address behind the page's name
    draw: (parts: string[]) => ComponentChild;
}

export const pages: PageRow[] = [
    { name: "items", icon: "items", draw: parts => <Items parts={parts} /> },
    { name: "conflicts", icon: "conflicts", draw: () => <Conflicts /> },
    { name: "files", icon: "file", draw: () => <Files /> },
    { name: "mesh", icon: "mesh", draw: () => <Mesh /> },
    { name: "devices", icon: "devices", draw: () => <Devices /> },
    { name: "errors", icon: "errors", draw: () => <Errors /> },
    { name: "settings", icon: "settings", draw: () => <Settings /> },
    { name: "audit", icon: "audit", draw: () => <Audit /> },
];
