// Six digits, as two people read them to each other.
export function Digits({ text }: { text: string }) {
    return (
        <p class="digits">
            <span>{text.slice(0, 3)}</span>
            <span>{text.slice(3)}</span>
        </p>
    );
}
