// What is shown to whoever has not signed in.
import { useEffect } from "preact/hooks";

import type { Signed } from "./session";
import { t } from "./strings";
import { Code, Loading, Problem } from "./ui";

export function SignIn({ now }: { now: Exclude<Signed, { is: "in" }> }) {
    useEffect(() => {
        document.title = t.signIn.title + " – " + t.name;
    }, []);
    return (
        <main class="sign-in">
            <div class="panel">
                <div class="brand">
                    <img src="/icon.svg" alt="" width="36" height="36" />
                    <span>{t.name}</span>
                </div>
                {now.is === "working" ? <Loading /> : (
                    <>
                        <h1>{now.why === "over" ? t.signIn.over
                            : t.signIn.title}</h1>
                        {now.why === "failed" ? (
                            <Problem why={now.detail ?? t.signIn.failed} />
                        ) : null}
                        {now.why === "over" ? <p>{t.signIn.overText}</p> : null}
                        <p>{t.signIn.lead}</p>
                        <Code copy>{t.signIn.command}</Code>
                        <p>{t.signIn.then}</p>
                    </>
                )}
            </div>
        </main>
    );
}
