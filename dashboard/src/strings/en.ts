// All that the dashboard says, in English. es.ts has the same members.
function count(n: number, one: string, many: string): string {
    return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

export const en = {
    name: "Syncline",
    locale: "en",
    skip: "Skip to content",
    menu: "Menu",
    nav: "Pages",
    pages: {
        items: "Items",
        conflicts: "Conflicts",
        mesh: "Mesh",
        devices: "Devices",
        errors: "Errors",
        settings: "Settings",
        audit: "Audit",
    },
    theme: {
        label: "Colours",
        system: "As the system has it",
        light: "Light",
        dark: "Dark",
    },
    language: "Language",
    signOut: "Sign out",
    thisNode: "This device",
    live: {
        live: "Live",
        connecting: "Connecting",
        lost: "Not connected",
        lostText: "The node does not answer. What you see may be old; it goes "
            + "on by itself when the node is back.",
    },
    signIn: {
        title: "Sign in",
        working: "Signing in",
        lead: "This page belongs to whoever has an account on the machine. "
            + "There, run:",
        command: "syncline dashboard",
        then: "and open the link that it prints. It is good once, for five "
            + "minutes.",
        failed: "That link could not be used",
        over: "You are signed out",
        overText: "The session has ended, or the node has been started again.",
    },
    notFound: {
        title: "No such page",
        text: "There is nothing at this address.",
        back: "To the items",
    },
    failed: "Something failed",
    retry: "Try again",
    loading: "Loading",
    close: "Close",
    cancel: "Cancel",
    save: "Save",
    remove: "Remove",
    copy: "Copy",
    copied: "Copied",
    more: "Show more",
    none: "none",
    all: "all",
    unknown: "unknown",
    justNow: "just now",
    empty: {
        errors: "This page is being built.",
    },
    units: {
        items: (n: number) => count(n, "item", "items"),
        conflicts: (n: number) => count(n, "open conflict", "open conflicts"),
        devices: (n: number) => count(n, "device", "devices"),
        changes: (n: number) => count(n, "change", "changes"),
    },
};

export type Strings = typeof en;
