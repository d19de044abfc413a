// Every page of the dashboard: its name in the address, its icon, what draws
// it. A new page is a line here, a file beside this one and a word in strings.
import type { ComponentChild } from "preact";

import type { IconName } from "../icons";
import { t } from "../strings";
import { Empty, Page } from "../ui";
import { Conflicts } from "./conflicts";
import { Devices } from "./devices";
import { Items } from "./items";
import { Mesh } from "./mesh";

export interface PageRow {
    name: keyof typeof t.pages;
    icon: IconName;
    // parts: of the address behind the page's name
    draw: (parts: string[]) => ComponentChild;
}

function soon(name: keyof typeof t.pages, icon: IconName): PageRow {
    return {
        name, icon, draw: () => (
            <Page title={t.pages[name]}>
                <Empty icon={icon} title={t.empty.errors} />
            </Page>
        ),
    };
}

export const pages: PageRow[] = [
    { name: "items", icon: "items", draw: parts => <Items parts={parts} /> },
    { name: "conflicts", icon: "conflicts", draw: () => <Conflicts /> },
    { name: "mesh", icon: "mesh", draw: () => <Mesh /> },
    { name: "devices", icon: "devices", draw: () => <Devices /> },
    soon("errors", "errors"),
    soon("settings", "settings"),
    soon("audit", "audit"),
];
