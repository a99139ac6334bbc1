using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Storage;

/// <summary>One change of a tag or link. Which members are set depends on <paramref name="Op"/>.</summary>
/// <param name="At">When it was recorded.</param>
/// <param name="Op">
/// <c>tag</c>, <c>untag</c>, <c>link</c> (of a manifest or blob to a repository), <c>unlink</c>, <c>hold</c> (of content by a registry, or by one
/// repository alone) or <c>unhold</c>.
/// </param>
/// <param name="Registry">The registry's name in the configuration.</param>
/// <param name="Repository">The repository's name there.</param>
/// <param name="Tag">The tag.</param>
/// <param name="Digest">The content.</param>
/// <param name="MediaType">Of linked content.</param>
/// <param name="Size">Of linked content, in bytes.</param>
internal sealed record RefChange(
    DateTimeOffset At, string Op, string Registry, string? Repository, string? Tag, string? Digest, string? MediaType, long? Size);

/// <summary>
/// <c>refs.log</c>: with the published files, all that is needed to make the database again. One line a change, behind the XXH3-64 of its text in
/// hexadecimal, so that a line that was torn or has rotted is known as such:
/// <code>f00dfeedcafe0123 {"at":"2026-01-02T03:04:05+00:00","op":"tag","registry":"docker.io","repository":"library/alpine","tag":"3.20",…}</code>
/// </summary>
internal sealed class RefJournal : IDisposable
{
    private const int ChecksumLength = 16;

    private readonly SafeFileHandle _file;
    private long _length;
    private long _beforeLast;

    private RefJournal(SafeFileHandle file, long length) => (_file, _length) = (file, length);

    /// <summary>In bytes.</summary>
    public long Length => _length;

    /// <summary>Opens the journal at its end. A last line that a crash has torn was never acknowledged, and goes.</summary>
    public static RefJournal Open(StoreLayout layout)
    {
        var isNew = !File.Exists(layout.Journal);
        var file = File.OpenHandle(layout.Journal, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        if (isNew)
        {
            Durability.FlushFolder(layout.Root);
        }

        return new RefJournal(file, WholeLinesLength(file));
    }

    /// <summary>Appends and flushes; durable when it returns.</summary>
    /// <exception cref="IOException">The disk refused; nothing of it counts as written.</exception>
    public void Append(IReadOnlyList<RefChange> changes)
    {
        var lines = new StringBuilder();
        foreach (var change in changes)
        {
            lines.Append(Line(JsonSerializer.Serialize(change, RefChangeJson.Default.RefChange))).Append('\n');
        }

        var bytes = Encoding.UTF8.GetBytes(lines.ToString());
        try
        {
            RandomAccess.Write(_file, bytes, _length);
            RandomAccess.FlushToDisk(_file);
            _beforeLast = _length;
            _length += bytes.Length;
        }
        catch
        {
            // Whole lines of it may be there. A shorter append would leave the last of them behind it, as if they had been accepted.
            RandomAccess.SetLength(_file, _length);
            throw;
        }
    }

    /// <summary>What was appended last has not come to be: the transaction that it was for has failed.</summary>
    public void TakeBack()
    {
        _length = _beforeLast;
        RandomAccess.SetLength(_file, _length);
    }

    /// <summary>A line, without its end, that says <paramref name="text"/>.</summary>
    public static string Line(string text) => $"{Checksum(Encoding.UTF8.GetBytes(text))} {text}";

    /// <summary>Whether a line, without its end, is as it was written.</summary>
    /// <param name="line">The line.</param>
    /// <param name="text">What is behind its checksum.</param>
    public static bool TryCheck(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> text)
    {
        text = line.Length > ChecksumLength && line[ChecksumLength] == ' ' ? line[(ChecksumLength + 1)..] : default;
        return !text.IsEmpty && line[..ChecksumLength].SequenceEqual(Encoding.ASCII.GetBytes(Checksum(text)));
    }

    public void Dispose() => _file.Dispose();

    private static string Checksum(ReadOnlySpan<byte> text) => XxHash3.HashToUInt64(text).ToString("x16");

    /// <summary>What a crash leaves at the end may be long, and need not be text.</summary>
    private static long WholeLinesLength(SafeFileHandle file)
    {
        var tail = new byte[64 * 1024];
        var whole = RandomAccess.GetLength(file);
        while (whole > 0)
        {
            var start = Math.Max(0, whole - tail.Length);
            var read = RandomAccess.Read(file, tail.AsSpan(0, (int)(whole - start)), start);
            whole = start + tail.AsSpan(0, read).LastIndexOf((byte)'\n') + 1;
            if (whole > start)
            {
                break;
            }
        }

        RandomAccess.SetLength(file, whole);
        return whole;
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RefChange))]
internal sealed partial class RefChangeJson : JsonSerializerContext;
