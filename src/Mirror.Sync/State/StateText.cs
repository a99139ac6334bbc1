using System.Text;

namespace Mirror.Sync.State;

/// <summary>Text of other people's, as it is kept: registries say what they like, and not all of it survives being stored.</summary>
internal static class StateText
{
    /// <summary>Why a tag has failed: there may be very many of them.</summary>
    public const int TagWhy = 4096;

    /// <summary>What a run has not done: a line for each of thousands of tags.</summary>
    public const int RunWhy = 1024 * 1024;

    private const int LongestExact = 64 * 1024;

    /// <summary>The text, to be read by people: without what can not be stored, and cut where it is too long.</summary>
    public static string? Clean(string? text, int most)
    {
        if (text is null || IsStorable(text, most))
        {
            return text;
        }

        var end = text.Length <= most ? text.Length : most - 1;
        var storable = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text[..end])).Replace('\0', '\uFFFD');
        return end < text.Length ? storable + '…' : storable;
    }

    /// <summary>Whether the text comes back as it is: what is given back to a registry must, or not be kept at all.</summary>
    public static bool IsExact(string text) => IsStorable(text, LongestExact);

    private static bool IsStorable(string text, int most)
    {
        if (text.Length > most || text.Contains('\0', StringComparison.Ordinal))
        {
            return false;
        }

        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]) && (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[++i])))
            {
                return false;
            }
        }

        return true;
    }
}
