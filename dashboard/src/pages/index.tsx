// Every page of the dashboard: its name in the address, its icon, what draws
// it. A new page is a line here, a file beside this one and a word in strings.
import type { ComponentChild } from "preact";

import type { IconName } from "../icons";
import { t } from "../strings";
import { Empty, Page } from "../ui";

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
    soon("items", "items"),
    soon("conflicts", "conflicts"),
    soon("mesh", "mesh"),
    soon("devices", "devices"),
    soon("errors", "errors"),
    soon("settings", "settings"),
    soon("audit", "audit"),
];
