// What a device may: a role, and spaces.
import { isOwn, spaces } from "../node";
import { useValue } from "../state";
import { t } from "../strings";

export interface TermsNow {
    role: string;
    spaces: string[] | null; // null: all
}

export const roles = ["admin", "member", "reader", "relay"];

export function noTerms(now: TermsNow): boolean {
    return now.spaces !== null && now.spaces.length === 0;
}

// As members of a request: what is not said is all.
export function termsOf(now: TermsNow): object {
    return { role: now.role, ...now.spaces ? { spaces: now.spaces } : {} };
}

export function SpaceChoices({ now, set }: {
    now: string[] | null; set: (next: string[] | null) => void;
}) {
    const names = useValue(spaces).filter(isOwn).map(s => s.name);
    return (
        <fieldset class="choices">
            <legend>{t.devices.spaces}</legend>
            <div class="checks">
                <label>
                    <input type="radio" name="which" checked={now === null}
                        onChange={() => set(null)} />{t.devices.allSpaces}
                </label>
                <label>
                    <input type="radio" name="which" checked={now !== null}
                        onChange={() => set(["default"])} />
                    {t.devices.someSpaces}
                </label>
            </div>
            {now === null ? null : (
                <div class="checks">
                    {names.map(name => (
                        <label key={name}>
                            <input type="checkbox" checked={now.includes(name)}
                                onChange={e => set(e.currentTarget.checked
                                    ? [...now, name]
                                    : now.filter(x => x !== name))} />
                            {name}
                        </label>
                    ))}
                </div>
            )}
        </fieldset>
    );
}

export function Terms({ now, set }: {
    now: TermsNow; set: (next: TermsNow) => void;
}) {
    return (
        <>
            <fieldset class="choices">
                <legend>{t.devices.role}</legend>
                <div class="choice-grid">
                    {roles.map(role => (
                        <label class="choice" key={role}>
                            <input type="radio" name="role" value={role}
                                checked={now.role === role}
                                onChange={() => set({ role, spaces:
                                    role === "admin" ? null : now.spaces })} />
                            <span>
                                <strong>{t.devices.roles[role]}</strong><br />
                                <span class="muted small-text">
                                    {t.devices.roleHints[role]}</span>
                            </span>
                        </label>
                    ))}
                </div>
            </fieldset>
            {now.role === "admin" ? null : (
                <SpaceChoices now={now.spaces}
                    set={chosen => set({ ...now, spaces: chosen })} />
            )}
        </>
    );
}
