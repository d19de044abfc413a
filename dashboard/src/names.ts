// What a space or a token may be called, as the node has it.
export function isName(text: string): boolean {
    return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);
}
