using System.Text.Json.Nodes;

namespace Mirror.Configuration.Reading;

/// <summary>A value, or what is wrong with the text that should have been one.</summary>
internal readonly record struct Parsed<T>(T Value, string? Fault);

internal static class Parsed
{
    public static Parsed<T> Right<T>(T value) => new(value, null);

    /// <param name="fault">Reads on from the value: "is not a duration: write …".</param>
    public static Parsed<T> Wrong<T>(string fault) => new(default!, fault);
}

/// <summary>What one value of an option can be: how it is read, how it is written, and how a schema says so.</summary>
internal sealed class Kind<T>(Func<string, Parsed<T>> parse, Func<T, string> write, Func<JsonObject> schema)
{
    /// <summary>Whether wrong values must not be shown either.</summary>
    public bool IsSecret { get; init; }

    public Parsed<T> Parse(string text) => parse(text);

    /// <summary>The text that <see cref="Parse"/> makes the value of; of secrets, only that there is one.</summary>
    public string Write(T value) => write(value);

    public JsonObject Schema() => schema();
}
