// Six digits, as two people read them to each other, and as they are copied.
export function Digits({ text }: { text: string }) {
    return (
        <p class="digits">
            {text.slice(0, 3)} {text.slice(3)}
        </p>
    );
}
