// What is shown to whoever has not signed in.
import { useEffect } from "preact/hooks";

import { signed } from "./session";
import type { Signed } from "./session";
import { t } from "./strings";
import { Button, Code, Dialog, Loading, Problem } from "./ui";
import { askFirst } from "./unsaved";

type Out = Exclude<Signed, { is: "in" }>;

function How() {
    return (
        <>
            <p>{t.signIn.lead}</p>
            <Code copy>{t.signIn.command}</Code>
            <p>{t.signIn.then}</p>
        </>
    );
}

export function SignIn({ now }: { now: Out }) {
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
                        <How />
                    </>
                )}
            </div>
        </main>
    );
}

// Over a page on which something is not saved: it goes on when somebody has
// signed in, in this tab or another one.
export function SignInAgain({ now }: { now: Out }) {
    const discard = () => askFirst(() => {
        signed.value = { is: "out", why: "over" };
    });
    return (
        <Dialog title={t.signIn.over} onClose={discard}>
            <div class="dialog-body">
                {now.is === "working" ? <Loading /> : (
                    <>
                        {now.why === "failed" ? (
                            <Problem why={now.detail ?? t.signIn.failed} />
                        ) : null}
                        <p>{t.signIn.overText} {t.signIn.kept}</p>
                        <How />
                    </>
                )}
            </div>
            <footer>
                <Button onClick={discard}>{t.unsaved.leave}</Button>
            </footer>
        </Dialog>
    );
}
