using System.Text;

namespace Mirror.Configuration.Reading;

/// <summary>A small UTF-8 file, read with the suspicion that it is large, binary, or not a file.</summary>
internal static class TextFile
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static Parsed<string> Read(string folder, string path, int maxSize)
    {
        try
        {
            using var file = new FileStream(Path.GetFullPath(path, folder), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            // One byte more than may be there; a pipe or device has no length to ask for.
            var buffer = new byte[maxSize + 1];
            var length = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            return length > maxSize
                ? Parsed.Wrong<string>($"is larger than {maxSize} bytes")
                : Parsed.Right(Strict.GetString(buffer, 0, length).TrimStart('\uFEFF'));
        }
        catch (DecoderFallbackException)
        {
            return Parsed.Wrong<string>("is not UTF-8 text");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Parsed.Wrong<string>("does not exist");
        }
        catch (UnauthorizedAccessException)
        {
            return Parsed.Wrong<string>("is a directory, or may not be read");
        }
        catch (Exception e) when (e is IOException or ArgumentException or NotSupportedException)
        {
            return Parsed.Wrong<string>($"can not be read: {e.Message}");
        }
    }
}
