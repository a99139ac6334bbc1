using System.Diagnostics.CodeAnalysis;

namespace Mirror.Oci.Remote;

/// <summary>One challenge of a <c>WWW-Authenticate</c> header (RFC 9110, 11.6.1).</summary>
internal sealed record Challenge(string Scheme, IReadOnlyDictionary<string, string> Parameters)
{
    public bool Is(string scheme) => Scheme.Equals(scheme, StringComparison.OrdinalIgnoreCase);

    public string? Find(string parameter) => Parameters.GetValueOrDefault(parameter);

    /// <summary>
    /// Reads every challenge of every header line. Quoted values may hold commas and escaped quotes, and one line may hold several
    /// challenges. What can not be read ends the line: it is somebody else's text.
    /// </summary>
    public static IReadOnlyList<Challenge> ParseAll(IEnumerable<string> headerLines)
    {
        var challenges = new List<Challenge>();
        foreach (var line in headerLines)
        {
            new ChallengeReader(line).ReadInto(challenges);
        }

        return challenges;
    }

    private ref struct ChallengeReader(string line)
    {
        private ReadOnlySpan<char> _rest = line;

        public void ReadInto(List<Challenge> challenges)
        {
            Dictionary<string, string>? parameters = null;
            while (TryReadToken(out var token))
            {
                SkipSpaces();
                if (_rest is ['=', ..] && parameters is not null)
                {
                    _rest = _rest[1..];
                    SkipSpaces();
                    if (!TryReadValue(out var value))
                    {
                        return;
                    }

                    parameters.TryAdd(token, value);
                }
                else
                {
                    parameters = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
                    challenges.Add(new Challenge(token, parameters));
                }

                _rest = _rest.TrimStart(" \t,");
            }
        }

        private void SkipSpaces() => _rest = _rest.TrimStart(" \t");

        private bool TryReadToken([NotNullWhen(true)] out string? token)
        {
            SkipSpaces();
            var end = _rest.IndexOfAny(" \t=,\"");
            var length = end < 0 ? _rest.Length : end;
            token = length == 0 ? null : _rest[..length].ToString();
            _rest = _rest[length..];
            return token is not null;
        }

        private bool TryReadValue([NotNullWhen(true)] out string? value)
        {
            if (_rest is not ['"', ..])
            {
                return TryReadToken(out value);
            }

            var text = new System.Text.StringBuilder();
            for (var i = 1; i < _rest.Length; i++)
            {
                if (_rest[i] == '"')
                {
                    _rest = _rest[(i + 1)..];
                    value = text.ToString();
                    return true;
                }

                if (_rest[i] == '\\' && i + 1 < _rest.Length)
                {
                    i++;
                }

                text.Append(_rest[i]);
            }

            value = null;
            return false;
        }
    }
}
